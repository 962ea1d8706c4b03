"""Reception: who calls which line, what they hear first, which queue holds them.

The decision is made in one breath and handed to Asterisk, which then plays and queues by itself:
a kill of the engine in mid-greeting changes nothing for the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from ivr.events.actors import CALLER
from ivr.events.event import ENGINE, Event, Kind
from ivr.hotline.book import HotlineBook, Line, MergeMode, QueueKind
from ivr.hotline.modes import ModeName, ModeSpec, ReceptionStyle
from ivr.hotline.telephone import LONGEST_TEXT, digits, numbers_named
from ivr.hotline.workdays import CalendarMissing

DIVERSION_110 = "110_diversion"
OUTSIDE_CITY = "P007"
LINE_CHOSEN_PROMPT = "S032"
LONGEST_NUMBER = 40
STORY = ("dialled", "headers", "reference", "source", "recording")
"""What the dialplan tells of a call, in this order; only the last may hold the slash that parts them."""
STAR = "*"
"""The key that leads to help at any moment, also out of the menu."""


@dataclass(frozen=True)
class Arrival:
    """A call as it reaches reception.

    Attributes:
        call_id: Asterisk's ``linkedid``.
        caller: the caller's number as the trunk gave it, perhaps empty.
        dialled: digits dialled.
        source: ``live`` or ``110_diversion``.
        diverted: Diversion and History-Info values, or plain numbers.
        channel: the caller's channel.
        recording: path of the recording without extension.
        reference: 110's own number of the matter (police_ref), where 110 gave one.
    """

    call_id: str
    caller: str
    dialled: str
    source: str = "live"
    diverted: tuple[str, ...] = ()
    channel: str = ""
    recording: str = ""
    reference: str = ""


def told_arrival(call_id: str, story: str, *, caller: str, channel: str) -> Arrival:
    """Read what the dialplan says of a call, to the engine and to CEL alike.

    Args:
        call_id: Asterisk's ``linkedid``.
        story: what :data:`STORY` names, with slashes; the headers are URI-encoded, one a line.
        caller: the caller's number as the trunk gave it.
        channel: the caller's channel.
    """
    parts = [*story.split("/", len(STORY) - 1), *[""] * len(STORY)]
    told = dict(zip(STORY, parts, strict=False))
    forwarded = (header.strip(", <") for header in unquote(told["headers"][: 3 * LONGEST_TEXT]).split("\n"))
    from_110 = told["source"] == DIVERSION_110
    return Arrival(
        call_id,
        caller[:LONGEST_NUMBER],
        told["dialled"][:LONGEST_NUMBER],
        DIVERSION_110 if from_110 else "live",
        tuple(filter(None, forwarded)),
        channel,
        told["recording"],
        told["reference"] if from_110 else "",
    )


@dataclass(frozen=True)
class Said:
    """One prompt with the values of its slots."""

    prompt: str
    slots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """What a caller chose in the menu, by keys or by words.

    Attributes:
        by: ``keys``, ``speech``, or ``nothing`` when nobody chose.
        line: the line chosen; None goes to a person.
        keyed: the keys that were pressed.
        heard: the words that were recognised.
        emergency: 110, 119, 120, 122, or ``*`` where the caller did not say which; empty for none.
        facts: what the operator should know besides: candidates and the question that tells them
            apart, another service's number, a wish.
    """

    by: str
    line: Line | None = None
    keyed: str = ""
    heard: str = ""
    emergency: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Placement:
    """Where a call goes: a queue, with what priority, after which prompts.

    Attributes:
        queue: the queue's id.
        priority: the higher the sooner.
        prompts: played before the queue, at most 6 s in all.
        announcement: a prompt that is told in the queue before the music; whoever is answered
            at once does not wait for its end.
        facts: why, for the journal.
        line_id: the department line, empty for none: the dialplan tells it to help that it calls alone.
    """

    queue: str
    priority: int
    prompts: tuple[Said, ...]
    announcement: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    line_id: str = ""


class Conversation(Protocol):
    """A caller who is on the line."""

    async def place(self, placement: Placement) -> None:
        """Hand the decision to whatever carries the voice."""

    async def open_menu(self) -> None:
        """Have the caller answered and asked what it is about."""

    async def call_help(self) -> None:
        """Have help called at once; the place is for who comes back without it."""


def line_of(arrival: Arrival, book: HotlineBook) -> Line | None:
    """Return the line that was dialled, or that the call was forwarded from."""
    return book.find_line(arrival.dialled, numbers_named(arrival.diverted))


def started(
    arrival: Arrival, book: HotlineBook, identify: Callable[[str], Mapping[str, str]]
) -> dict[str, Any]:
    """Return the data of a call's first event.

    Args:
        arrival: the call.
        book: what the city configured.
        identify: turns a caller's number into its mask, ciphertext and fingerprint.
    """
    numbers = numbers_named(arrival.diverted)
    line = book.find_line(arrival.dialled, numbers)
    return {
        "source": arrival.source,
        "dialled": arrival.dialled,
        "diverted": [
            known if (known := digits(number)) in book.answered else identify(number)["mask"]
            for number in dict.fromkeys(numbers)
        ],
        "line_id": line.id if line else None,
        "caller": dict(identify(arrival.caller)),
        "channel": arrival.channel,
        "recording": arrival.recording,
        **({"police_ref": arrival.reference} if arrival.reference else {}),
    }


def wants_menu(arrival: Arrival, book: HotlineBook) -> bool:
    """Tell whether the caller is asked: only in style ``menu``, and only who dialled no line."""
    return (
        book.reception.style is ReceptionStyle.MENU
        and arrival.source != DIVERSION_110
        and line_of(arrival, book) is None
    )


def place(
    arrival: Arrival,
    book: HotlineBook,
    now: float,
    mode: ModeName = ModeName.REGULAR,
    choice: Choice | None = None,
) -> Placement:
    """Decide where a call goes.

    A diversion from 110 waits for no prompt and goes before ordinary callers
    (国办发〔2022〕12号); everybody else hears a recording notice within 6 s (GB/T 33358).

    Args:
        arrival: the call.
        book: what the city configured.
        now: seconds since the epoch.
        mode: the mode of dispatch of this moment.
        choice: what the caller chose in the menu; None for a call that was not asked.
    """
    spec = book.modes.get(mode) or ModeSpec(mode)
    if arrival.source == DIVERSION_110:
        return Placement(book.general_queue.id, book.priorities.diversion_110, ())
    if choice is not None and choice.emergency:
        facts = {"emergency": choice.emergency}
        return Placement(book.general_queue.id, book.priorities.emergency, (), facts=facts)
    line = choice.line if choice is not None else line_of(arrival, book)
    queue, facts = _queue_for(line, book, now, spec)
    priority = book.priorities.ordinary + (spec.priority.get(line.id, 0) if line else 0)
    if spec.prompt:
        facts = {**facts, "mode": mode.value}
    return Placement(
        queue,
        priority,
        (_words(line, book) if choice is None else _words_after_menu(line),),
        spec.prompt or (OUTSIDE_CITY if book.plan.is_elsewhere(arrival.caller) else ""),
        facts,
        line.id if line else "",
    )


def _queue_for(
    line: Line | None, book: HotlineBook, now: float, spec: ModeSpec
) -> tuple[str, dict[str, Any]]:
    """Return the queue of a line and why: its experts while they take calls, else the general one."""
    general = book.general_queue.id
    if line is None:
        return general, {}
    facts: dict[str, Any] = {}
    if line.merge_mode is MergeMode.SUBCENTER:
        return general, {"passed_on": f"subcenter:{line.id}"}  # the operator may pass it on
    queue = book.queue_of(line)
    if queue.id == general:
        gone = bool(line.queue) and book.queue(line.queue) is None
        return general, {"missing": line.queue} if gone else {}
    if spec.experts_closed and queue.kind is QueueKind.EXPERT:
        return general, {"closed": queue.id}
    try:
        if queue.is_open(datetime.fromtimestamp(now, ZoneInfo(book.timezone)), book.calendar):
            return queue.id, facts
    except CalendarMissing as error:  # nobody is turned away because of a file: a person answers
        facts = {"alarm": error.code, "sentence": error.sentence, "sentence_zh": error.zh}
    return general, {"closed": queue.id, **facts}


def _words(line: Line | None, book: HotlineBook) -> Said:
    """Return the greeting, recording notice included."""
    if line is None:
        return Said(book.greeting)
    merged = line.merge_mode is MergeMode.WHOLE
    prompt = book.reception.merged_prompt if merged else book.reception.parallel_prompt
    return Said(prompt, {"line_name": line.id})


def _words_after_menu(line: Line | None) -> Said:
    """Return what follows the menu, which told of the recording already."""
    return Said("P004") if line is None else Said(LINE_CHOSEN_PROMPT, {"line_name": line.id})


class Reception:
    """Receives callers.

    Args:
        book: gives the present configuration.
        record: journals an event.
        identify: turns a caller's number into what may be stored.
        clock: seconds since the epoch.
        mode: gives the mode of this moment.
    """

    def __init__(
        self,
        book: Callable[[], HotlineBook],
        record: Callable[[Event], object],
        identify: Callable[[str], Mapping[str, str]],
        clock: Callable[[], float],
        mode: Callable[[], ModeName] = lambda: ModeName.REGULAR,
    ) -> None:
        self.book = book
        self._record = record
        self._identify = identify
        self._clock = clock
        self._mode = mode

    async def receive(self, arrival: Arrival, caller: Conversation) -> Placement | None:
        """Open the call and its ticket, and place the caller; None when the menu asks first."""
        book, now = self.book(), self._clock()
        data = started(arrival, book, self._identify)
        self._tell(arrival, now, Kind.CALL_STARTED, data)
        if data["line_id"] is not None:
            dialled = book.line_by_number(arrival.dialled) is not None
            chosen = {"line_id": data["line_id"], "by": "dialled" if dialled else "diverted"}
            self._tell(arrival, now, Kind.LINE_CHOSEN, chosen)
        if wants_menu(arrival, book):
            await caller.open_menu()
            return None
        return await self._place(arrival, caller, book, now, None)

    async def chosen(self, arrival: Arrival, caller: Conversation, choice: Choice) -> Placement:
        """Place a caller who was asked in the menu."""
        now = self._clock()
        actor = CALLER if choice.by in ("keys", "speech") else ENGINE
        self._record(Event(arrival.call_id, now, Kind.LINE_CHOSEN, _told(choice), actor))
        if choice.by == "keys" and choice.emergency == STAR:
            await caller.call_help()
        return await self._place(arrival, caller, self.book(), now, choice)

    async def _place(
        self, arrival: Arrival, caller: Conversation, book: HotlineBook, now: float, choice: Choice | None
    ) -> Placement:
        placement = place(arrival, book, now, self._mode(), choice)
        await caller.place(placement)
        data = {"queue": placement.queue, "priority": placement.priority, **placement.facts}
        self._tell(arrival, now, Kind.PLACED, data)
        return placement

    def _tell(self, arrival: Arrival, now: float, kind: Kind, data: dict[str, Any]) -> None:
        self._record(Event(arrival.call_id, now, kind, data))


def _told(choice: Choice) -> dict[str, Any]:
    told: dict[str, Any] = {"line_id": choice.line.id if choice.line else None, "by": choice.by}
    told |= {name: value for name in ("keyed", "heard", "emergency") if (value := getattr(choice, name))}
    return told | dict(choice.facts)
