"""Who is called back: wishes, messages and missed calls become open callbacks in the journal, or do not.

An open callback is an entry in the journal and nothing else; what stands in Asterisk for it is the
desk's business (``ivr/queueing/callback_desk.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ivr.alarms.board import Alarms
from ivr.calls import callback as rules
from ivr.calls.callback import MISSED, Callback, CallbackState
from ivr.calls.channels import endpoint_of
from ivr.calls.open_calls import CallBook
from ivr.calls.record import CallRecord
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events import actors
from ivr.events.event import ENGINE, Event, Kind
from ivr.hotline.book import HotlineBook
from ivr.queueing import callback_limits as limits

CALLBACKS_FULL = "callbacks_full"
_CLAIMABLE = (CallState.WAITING, CallState.RINGING, CallState.VOICEMAIL)
_PENDING = (CallbackState.WAITING, CallbackState.RESTING)
_ENDS = (Kind.CALLBACK_FAILED, Kind.HUNG_UP)
_ROOM_AGAIN = 0.9
"""The share of the most from which on it is no longer full: what comes and goes is no news."""


@dataclass(frozen=True)
class Secrets:
    """What is needed of the hotline's keys: sealing, opening and recognising a number."""

    identify: Callable[[str], Mapping[str, str]]
    reveal: Callable[[str], str]


class Claims:
    """The callbacks that were claimed.

    Args:
        book: gives the present configuration.
        calls: open calls with their callbacks, and where events go.
        secrets: what is done with numbers.
        clock: seconds since the epoch.
        alarms: the board of alarms.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        calls: CallBook,
        secrets: Secrets,
        clock: Callable[[], float],
        alarms: Alarms,
    ) -> None:
        self._book = book
        self._calls = calls
        self._secrets = secrets
        self._clock = clock
        self._alarms = alarms
        self._numbers = limits.Numbers()
        self._short = limits.ShortWaits()

    def restore(self, callbacks: Iterable[Callback]) -> None:
        """Take over the callbacks of the last day that reached nobody, and look whether there is room."""
        for callback in callbacks:
            if callback.unreached:
                self._numbers.unreached(callback.number_hash, callback.changed_at)
        self._judge_room()

    def claim(self, call_id: str, number: str, by: str) -> bool:
        """Take a caller's wish to be called back; their place stays theirs.

        Args:
            call_id: the call that is given up for it.
            number: where to call, checked by ``NumberPlan.diallable``.
            by: ``caller``, ``message`` or ``missed``.

        Returns:
            Whether there is an open callback of this number now, this one or an earlier one.
        """
        call = self._calls.get(call_id)
        if call is None or not rules.destination(self._book().trunks, number):
            return False
        if call.callback is not None:
            return call.callback.state is not CallbackState.TALKING  # they were called, and wait like others
        if call.state not in _CLAIMABLE:
            return False
        sealed = dict(self._secrets.identify(number))
        earlier = limits.already_open(self._calls.callbacks(), sealed["hash"])
        if earlier is not None and not _outdone(earlier, by):
            self._tell(call_id, Kind.CALLBACK_ALREADY_OPEN, call=earlier.call_id)
            return True
        why = self._refused(sealed["hash"], promised=by != MISSED)
        if why:
            kind = Kind.CALLBACK_REFUSED if by == "caller" else Kind.CALLBACK_LEFT_TO_PERSON
            self._tell(call_id, kind, why=why)
            return False
        if earlier is not None:
            self._withdraw(earlier, "the citizen called again and was promised a callback", call_id)
        # who gave up without a wish stands behind those who did before; who was asked for a message did not give up
        since = self._clock() if by == MISSED else (call.queued_at or self._clock())
        self._tell(
            call_id,
            Kind.CALLBACK_CLAIMED,
            caller=sealed,
            number=sealed["mask"],
            by=by,
            queue=call.queue or self._book().general_queue.id,
            priority=call.priority,
            since=since,
            recording=call.recording,
        )
        self._numbers.claimed(sealed["hash"], self._clock())
        self._judge_room()
        return True

    def missed(self, call_id: str, at: float) -> None:
        """Call back who gave up waiting (漏接回拨); told just before their hang-up is journalled."""
        call = self._calls.get(call_id)
        if call is not None and call.state is CallState.VOICEMAIL:
            self.message_over(call_id)
            return
        if call is None or call.state not in (CallState.WAITING, CallState.RINGING) or not call.caller_enc:
            return
        if call.queued_at is None or call.answered_at is not None:
            return
        waited_s = at - call.queued_at
        rushed = self._short.ended(endpoint_of(call.legs[0].channel) if call.legs else "", waited_s, at)
        if waited_s < limits.MISSED_FROM_S or self._numbers.lately_claimed(call.caller_hash, at):
            return
        number = self._diallable(call.caller_enc)
        if not number or not rules.offered(self._book().trunks):
            return
        if rushed:
            self._tell(call_id, Kind.CALLBACK_WITHHELD, why=rushed)
        else:
            self.claim(call_id, number, by=MISSED)

    def message_over(self, call_id: str) -> None:
        """Keep the promise of P042 to who left a message; told just before their hang-up is journalled.

        Where nobody can be called, the ticket says that a person must see to it.
        """
        call = self._calls.get(call_id)
        if call is None or call.state is not CallState.VOICEMAIL or call.callback is not None:
            return
        why = self.cannot_call(call)
        if why:
            self._tell(call_id, Kind.CALLBACK_LEFT_TO_PERSON, why=why)
        else:
            self.claim(call_id, self._diallable(call.caller_enc), by="message")

    def cannot_call(self, call: CallRecord) -> str:
        """Return why a caller cannot be called back, empty where they can."""
        if not rules.offered(self._book().trunks):
            return "trunks.yaml names no callback destination"
        if not self._diallable(call.caller_enc):
            return "the number is unknown, or none that is called back"
        earlier = limits.already_open(self._calls.callbacks(), call.caller_hash)
        if earlier is not None and not _outdone(earlier, "message"):
            return ""
        return self._refused(call.caller_hash, promised=True)

    def diallable(self, number: str) -> str:
        """Return what to dial to call a citizen back, empty for a number that is not called back."""
        return self._book().plan.diallable(number)

    def number_of(self, callback: Callback) -> str:
        """Return the number to dial for a callback, empty where there is none that may be dialled."""
        return self._diallable(callback.number_enc)

    def on_event(self, event: Event, call: CallRecord | None) -> None:
        """Withdraw a callback when the same person has reached an operator by themselves."""
        if call is None:
            return
        if event.kind is Kind.CALLBACK_FAILED and call.callback is not None and call.callback.unreached:
            self._numbers.unreached(call.callback.number_hash, event.at)
        if call.callback is not None and event.kind in _ENDS:
            self._judge_room()
        if event.kind is Kind.ANSWERED and call.caller_hash:
            self._reached(call)

    def _reached(self, call: CallRecord) -> None:
        for callback in self._calls.callbacks():
            if callback.call_id == call.call_id or callback.number_hash != call.caller_hash:
                continue
            if callback.state in _PENDING:
                self._withdraw(callback, "the citizen called again and was answered", call.call_id)

    def _withdraw(self, callback: Callback, reason: str, call_id: str) -> None:
        self._tell(callback.call_id, Kind.CALLBACK_FAILED, reason=reason, call=call_id)

    def _refused(self, number_hash: str, *, promised: bool) -> str:
        """Return why a number is not called back, empty where it is."""
        why = self._numbers.rests(number_hash, self._clock())
        return why or limits.full(self._calls.callbacks(), len(self._book().seats), promised=promised)

    def _judge_room(self) -> None:
        """Raise the alarm when no more callbacks are taken, and clear it when there is room again."""
        for promised in (True, False):
            most = limits.most(len(self._book().seats), promised=promised)
            there = limits.count_open(self._calls.callbacks(), promised=promised)
            about = "promised" if promised else "missed"
            if there >= most:
                self._alarms.raise_(CALLBACKS_FULL, about, *_full(most, promised=promised))
            elif there <= _ROOM_AGAIN * most:
                self._alarms.clear(CALLBACKS_FULL, about)

    def _diallable(self, sealed: str) -> str:
        """Return the number to dial that is sealed, empty for none."""
        try:
            return self.diallable(self._secrets.reveal(sealed)) if sealed else ""
        except (HotlineError, ValueError):
            return ""

    def _tell(self, call_id: str, kind: Kind, **data: Any) -> None:
        asked = kind is Kind.CALLBACK_CLAIMED and data["by"] != MISSED
        actor = actors.CALLER if asked else ENGINE
        self._calls.record(Event(call_id, self._clock(), kind, data, actor))


def _outdone(earlier: Callback, by: str) -> bool:
    """Tell whether a missed call's callback gives way to what the same person is promised now."""
    return by != MISSED and not earlier.promised and earlier.state in _PENDING


def _full(most: int, *, promised: bool) -> tuple[str, str]:
    """Return the sentence of the alarm, in English and Chinese."""
    if promised:
        return (
            f"{most} promised callbacks are open and no more are promised: log more operators in. Messages that "
            "are left meanwhile say in their tickets that somebody must call back.",
            f"已承诺的回拨有 {most} 个未完成，暂不再承诺新的回拨：请增派话务员登录。"
            "其间的留言会在工单中注明需人工回拨。",
        )
    return (
        f"{most} missed calls wait to be called back and no more are taken: further ones are abandoned tickets "
        "that say somebody must call back.",
        f"待回拨的漏接来电已有 {most} 个，暂不再登记：此后的漏接来电记为放弃工单，并注明需人工回拨。",
    )
