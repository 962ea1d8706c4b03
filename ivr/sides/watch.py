"""Every side of every call is listened to: one that falls silent is asked, told of, or taken away.

The packets of each side are counted; one question a side every few seconds.  What a silence means
is a table (``ivr/sides/rules.py``).  To ask is to renew the session inside the call (a re-INVITE):
who has lost the call says so at once, whose media have moved says where they are now, and who says
nothing is seen off by SIP after 32 s.  Its address is asked too (OPTIONS), which is quicker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ivr.alarms.board import Fault
from ivr.calls.facts import ChannelEnded, Held
from ivr.calls.open_calls import CallBook
from ivr.calls.record import PHONE_GONE, CallRecord
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.sides import rules as sides
from ivr.sides.ports import Contact, Sides
from ivr.sides.present import Present, present
from ivr.sides.rules import SIDE_SILENT, Doing, Limits, Role, Sign, Step
from ivr.sides.tracks import recorded
from ivr.speech.levels import Side, is_flat
from ivr.transfers.states import TransferState

log = logging.getLogger(__name__)

LOOK_S = 3.0
"""Seconds between two looks at everybody."""
LOOK_AGAIN_S = 1.0
"""Seconds between two looks at those who are silent."""
ANSWER_S = 1.0
"""Who has lost the call says so within this time; a caller whose side ends meanwhile is not asked to rate that."""
_GREETED_S = 10.0
"""Seconds after their answer in which a third party's address is found to answer."""
_TELL_GONE_S = 120.0
_WORDS = {
    Role.CALLER: ("the caller", "来电人"),
    Role.SEAT: ("the operator", "话务员"),
    Role.THIRD: ("the third party", "第三方"),
}
_GONE = {Role.SEAT: "the seat's phone is gone", Role.THIRD: "the third party is gone"}


@dataclass
class Heard:
    """What was heard of a side; times in seconds of the steady clock."""

    present: Present
    first: float
    since: float
    packets: str = ""
    asked: float | None = None
    told: bool = False
    home: str | None = None
    """Where it was called: a third party's address, a phone's registration; None: not asked yet."""
    answered: bool = False
    """Whether its address ever answered."""
    sign: Sign = Sign.UNKNOWN
    flat: float | None = None
    """Since when its packets bring no sound."""


class SideWatch:
    """Watches the sides of all calls.

    Args:
        calls: open calls.
        on_the_line: the channels, and where people are reached.
        clock: seconds since the epoch, for the journal.
        steady: seconds since any moment, which nobody can set.
        watching: tells whether phones are looked after at all; test programs often send nothing.
        judge: puts faults on the board of alarms.
    """

    def __init__(
        self,
        calls: CallBook,
        on_the_line: Sides,
        clock: Callable[[], float],
        steady: Callable[[], float],
        *,
        watching: Callable[[], bool],
        judge: Callable[[Collection[Fault], Collection[str]], None],
    ) -> None:
        self._calls = calls
        self._sides = on_the_line
        self._clock = clock
        self._steady = steady
        self._watching = watching
        self._judge = judge
        self.room: Callable[[str], TransferState] = lambda _: TransferState.IDLE
        """Tells the state of a call's three-way side."""
        self._heard: dict[str, Heard] = {}
        self._holding: set[str] = set()
        self._asking: dict[str, Heard] = {}
        """Channels that are being asked this moment."""
        self._gone: list[tuple[float, Fault]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def held(self, told: Held) -> None:
        """Hear who puts whom on hold."""
        if told.on:
            self._holding.add(told.channel)
        else:
            self._holding.discard(told.channel)

    def ended(self, told: ChannelEnded) -> None:
        """Hear whose side ends, perhaps while it is asked."""
        self._holding.discard(told.channel)
        lost = self._asking.pop(told.channel, None)
        if told.knew_no_call:  # however late it says so
            lost = lost or self._heard.get(told.channel)
        call = self._calls.get(lost.present.call_id) if lost else None
        if lost is not None and call is not None and self._must_not_rate(call, lost.present):
            self._tell_gone(call, lost.present)

    async def run(self) -> None:
        """Watch until cancelled."""
        all_at = 0.0
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            everybody = self._steady() >= all_at
            if not self._watching() or not self._sides.live:
                self._heard.clear()
                continue
            if everybody:
                all_at = self._steady() + LOOK_S - LOOK_AGAIN_S / 2
            with contextlib.suppress(HotlineError):
                await self.look(everybody=everybody)

    async def look(self, *, everybody: bool = True) -> None:
        """Listen to the sides once, and do what must be done.

        Args:
            everybody: also to those who were heard at the last look.
        """
        self._see()
        now = self._steady()
        chosen = [one for one in self._heard.values() if everybody or now - one.since >= LOOK_S]
        for one in chosen:
            await self._listen(one)
        if everybody:
            await self._hear_tracks()
        await self._signs()
        for one in list(self._heard.values()):
            await self._act(one)
        self._show()

    def _see(self) -> None:
        """Know who is there now."""
        now, there = self._steady(), {}
        for call in self._calls.open():
            for side in present(call, self.room(call.call_id), self._holding):
                known = self._heard.get(side.channel) or Heard(side, now, now)
                if known.present.doing is not side.doing:  # the limits of another state count from now on
                    known.since, known.asked = now, None
                known.present = side
                there[side.channel] = known
        self._heard = there

    async def _listen(self, one: Heard) -> None:
        packets = await self._sides.packets(one.present.channel)
        if packets != one.packets or not packets:  # empty: it cannot be told
            one.packets, one.since, one.asked = packets, self._steady(), None

    async def _hear_tracks(self) -> None:
        """Hear whether there is any sound in what is recorded of those who talk."""
        talk = [one for one in self._heard.values() if one.present.doing is Doing.TALKS]
        tracks = [self._track(one.present) for one in talk]
        flat = await asyncio.to_thread(lambda: [track is not None and is_flat(track) for track in tracks])
        now = self._steady()
        for one, silent in zip(talk, flat, strict=True):
            arrives = now - one.since < sides.LIMITS[one.present.role, Doing.TALKS].ask_s
            one.flat = (one.flat if one.flat is not None else now) if silent and arrives else None

    def _track(self, side: Present) -> Side | None:
        call = self._calls.get(side.call_id)
        if call is None:
            return None
        return recorded(call, side.role, room=self.room(side.call_id) is not TransferState.IDLE)

    # -- their addresses -----------------------------------------------------------------------
    async def _signs(self) -> None:
        """See whose address answers, of those for whom it matters now."""
        now = self._steady()
        wanted = [
            one
            for one in self._heard.values()
            if one.present.role is not Role.CALLER
            and (
                one.home is None
                or one.asked is not None
                or (not one.answered and now - one.first < _GREETED_S)
            )
        ]
        if not wanted:
            return
        for one in wanted:
            if one.home is None:
                if self._outside(one):
                    one.home = await self._sides.address(one.present.channel)
                    await self._sides.ask(self._sides.way_out)
                else:
                    one.home = await self._sides.contact(one.present.channel)
        known = [*await self._sides.contacts()]
        if any(map(self._outside, wanted)):
            known += await self._sides.written(self._sides.way_out)
        for one in wanted:
            mine = [contact for contact in known if self._is_of(one, contact)]
            one.sign = self._sign(one, mine)
            one.answered |= any(contact.reached for contact in mine)

    def _outside(self, one: Heard) -> bool:
        return one.present.endpoint == self._sides.way_out

    def _is_of(self, one: Heard, contact: Contact) -> bool:
        if contact.user != one.present.endpoint:
            return False
        return not self._outside(one) or _without_port(contact.uri) == _without_port(one.home or "")

    def _sign(self, one: Heard, mine: list[Contact]) -> Sign:
        out = self._outside(one)
        if any(contact.answers for contact in mine):
            moved = not out and bool(one.home) and all(contact.id != one.home for contact in mine)
            return Sign.ELSEWHERE if moved else Sign.ANSWERS
        # a carrier that answers no OPTIONS at all has not gone; a seat without a contact has
        return Sign.UNKNOWN if out and not one.answered else Sign.AWAY

    # -- what is done --------------------------------------------------------------------------
    async def _act(self, one: Heard) -> None:
        call = self._calls.get(one.present.call_id)
        if call is None or one.present.channel in self._asking:
            return
        now = self._steady()
        asked_s = None if one.asked is None else now - one.asked
        todo = sides.step(self._limits(one), now - one.since, asked_s, one.sign)
        if todo is Step.END:
            self._heard.pop(one.present.channel, None)
            await self._end(call, one.present)
        elif todo is Step.ASK:
            one.asked = now
            self._asking[one.present.channel] = one
            task = asyncio.get_running_loop().create_task(self._ask(call, one))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _limits(one: Heard) -> Limits:
        return sides.LIMITS[one.present.role, one.present.doing]

    async def _ask(self, call: CallRecord, one: Heard) -> None:
        """Ask a side inside its call and at its address."""
        side = one.present
        log.info("call %s: %s is silent, and is asked", call.call_id, side.role)
        careful = self._must_not_rate(call, side)
        try:
            if careful:
                await self._sides.mark_gone(call.channel_of("caller"), gone=True)
            if side.role is not Role.CALLER:
                await self._sides.ask(side.endpoint)
            await self._sides.renew(side.channel)
            await asyncio.sleep(ANSWER_S)
            if careful and self._asking.get(side.channel) is one:  # it is still there
                await self._sides.mark_gone(call.channel_of("caller"), gone=False)
        except HotlineError as error:
            log.warning("call %s: %s could not be asked: %s", call.call_id, side.role, error.sentence)
        finally:
            self._asking.pop(side.channel, None)

    def _must_not_rate(self, call: CallRecord, side: Present) -> bool:
        """Tell whether the caller would be sent to the survey, or away, if this side went now."""
        state = self.room(call.call_id)
        if side.role is Role.SEAT:
            return state in (TransferState.IDLE, TransferState.TOGETHER)
        return side.role is Role.THIRD and not call.channel_of("operator")

    async def _end(self, call: CallRecord, side: Present) -> None:
        log.warning("call %s: %s", call.call_id, _GONE[side.role])
        careful = self._must_not_rate(call, side)
        self._tell_gone(call, side)
        if careful:
            await self._sides.mark_gone(call.channel_of("caller"), gone=True)
        await self._sides.end(side.channel)

    def _tell_gone(self, call: CallRecord, side: Present) -> None:
        who: dict[str, Any] = {"seat": call.seat, "operator": call.operator} if side.role is Role.SEAT else {}
        self._tell(call, Kind.SIDE_GONE, side=side.role.value, **who)
        if side.role is Role.SEAT and self.room(call.call_id) is TransferState.IDLE:
            # app_queue tells the end of such a talk only when the caller goes
            self._tell(call, Kind.OPERATOR_LEFT, channel=side.channel, reason=PHONE_GONE, **who)
        en, zh = _WORDS[side.role]
        fault = Fault(
            SIDE_SILENT,
            call.call_id,
            f"call {call.call_id}: {en} sent nothing any more and did not answer; look at that phone or line.",
            f"来电 {call.call_id}：{zh}不再有任何声音，也无应答；请检查该话机或线路。",
            gone_s=0.0,
        )
        self._gone.append((self._steady() + _TELL_GONE_S, fault))

    def _show(self) -> None:
        """Tell of those who have been silent for long, and when they are heard again."""
        now = self._steady()
        self._gone = [(until, fault) for until, fault in self._gone if until > now]
        faults = {fault.about: fault for _, fault in self._gone}
        for one in self._heard.values():
            silent = sides.to_tell(self._limits(one), now - one.since)
            flat = one.flat is not None and now - one.flat >= sides.FLAT_S
            call = self._calls.get(one.present.call_id)
            if call is not None and (silent or flat) is not one.told:
                one.told = silent or flat
                kind = Kind.SIDE_SILENT if one.told else Kind.SIDE_HEARD_AGAIN
                packets = {"packets": not silent} if one.told else {}
                self._tell(call, kind, side=one.present.role.value, **packets)
            if silent or flat:
                faults[one.present.call_id] = _silent(one.present, packets=not silent)
        self._judge(list(faults.values()), (SIDE_SILENT,))

    def _tell(self, call: CallRecord, kind: Kind, **data: Any) -> None:
        self._calls.record(Event(call.call_id, self._clock(), kind, data))


def _silent(side: Present, *, packets: bool) -> Fault:
    """Return what is told of a side that is not heard; ``packets``: its packets arrive, without a sound."""
    en, zh = _WORDS[side.role]
    if packets:
        said = f"the packets of {en} arrive without any sound: a muted phone, or a fault; nothing of them is recorded."
        said_zh = f"{zh}的语音包能收到，但没有任何声音：话机静音或有故障；录音中也没有其声音。"
    else:
        said = f"no packet of {en} arrives; the others do not hear them."
        said_zh = f"收不到{zh}的语音，其他人听不到其说话。"
    return Fault(
        SIDE_SILENT,
        side.call_id,
        f"call {side.call_id}: {said}",
        f"来电 {side.call_id}：{said_zh}",
        gone_s=0.0,
    )


def _without_port(uri: str) -> str:
    """Return user and host of a SIP address: Asterisk does not always tell the port."""
    return re.sub(r":[0-9]+$", "", uri.strip("<>").partition(";")[0])
