"""A call as its events tell it: folding, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ivr.calls.callback import Callback
from ivr.calls.legs import Leg, Track
from ivr.calls.spans import covered_s
from ivr.calls.states import CALL_TRANSITIONS, CallState
from ivr.events.event import Event, Kind
from ivr.events.payloads.calls import CallStarted, Surveyed
from ivr.events.payloads.reading import read

PHONE_GONE = "phone gone"
"""The reason of an operator who left because the seat's phone was unplugged."""


@dataclass(slots=True)
class CallRecord:
    """Everything known of one call; times in seconds since the epoch."""

    call_id: str
    state: CallState = CallState.GREETING
    source: str = "live"
    caller_mask: str = ""
    caller_enc: str = ""
    caller_hash: str = ""
    dialled: str = ""
    line_id: str | None = None
    queue: str | None = None
    seat: str | None = None
    operator: str | None = None
    recording: str = ""
    message: str = ""
    """Path of the caller's own message, without extension, where one was begun."""
    priority: int = 0
    satisfaction: int | None = None
    callback: Callback | None = None
    started_at: float | None = None
    greeted_at: float | None = None
    """When the call was answered: by the greeting, the menu, or the queue's music."""
    queued_at: float | None = None
    answered_at: float | None = None
    left_at: float | None = None
    ended_at: float | None = None
    outcome: str | None = None
    legs: list[Leg] = field(default_factory=list)
    recordings: list[dict[str, Any]] = field(default_factory=list)
    recording_settled: bool = False
    talks: int = 0
    """How often an operator has answered: who presses 0 in the survey talks once more."""
    diverted: tuple[str, ...] = ()
    handed_off: bool = False
    relieved: set[str] = field(default_factory=set)
    """Channels of operators whose call was taken over, or whose phone was unplugged."""
    tracks: list[Track] = field(default_factory=list)
    held: list[tuple[float, float | None]] = field(default_factory=list)
    """When the caller was on hold: the main recording has nothing of it."""
    transcript: dict[str, Any] = field(default_factory=lambda: {"status": "none"})

    @property
    def known(self) -> bool:
        """Whether the beginning of the call is known."""
        return self.started_at is not None

    @property
    def number_enc(self) -> str:
        """The sealed number of the telephone they are on: the one called back, where that was done."""
        return (
            self.callback.number_enc
            if self.callback is not None and self.callback.channel
            else self.caller_enc
        )

    def channel_of(self, role: str) -> str:
        """Return the channel of whoever plays a role now, empty when nobody does."""
        return next(
            (leg.channel for leg in reversed(self.legs) if leg.role == role and leg.left_at is None), ""
        )

    @property
    def waited_s(self) -> float | None:
        """Seconds in the queue until an operator answered or the call ended."""
        until = self.answered_at or self.ended_at
        if self.queued_at is None or until is None:
            return None
        return max(0.0, round(until - self.queued_at, 3))

    @property
    def talk_s(self) -> float | None:
        """Seconds the caller had an operator or a third party; None while it goes on or when nobody answered.

        A second wait between two talks does not count, nor does music after the operator has gone.
        """
        talks = [(leg.joined_at, leg.left_at) for leg in self.legs if leg.role == "operator"]
        talks += [(leg.together_at, leg.left_at) for leg in self.legs if leg.together_at is not None]
        over = [(begin, end) for begin, end in talks if end is not None]
        if not talks or len(over) < len(talks):
            return None
        return round(covered_s(over), 3)

    def was_relieved(self, event: Event) -> bool:
        """Tell whether an event is about an operator who was relieved: their end counts for nothing any more.

        Somebody has taken the call over from them, or their phone was unplugged.  Asterisk tells their end once
        more, and late.
        """
        return event.data.get("channel") in self.relieved

    def apply(self, event: Event) -> bool:
        """Fold one event in.

        Returns:
            Whether the state table knows the event in the present state, or it changes no state.
        """
        if event.kind is Kind.OPERATOR_LEFT and self.was_relieved(event):
            return True  # somebody else has taken the call over before
        change = _CHANGES.get(event.kind)
        if change is not None:
            change(self, event)
        if event.kind not in _MOVING:
            return True
        following = CALL_TRANSITIONS[self.state].get(event.kind)
        if following is None:
            return False
        self.state = following
        return True


_MOVING = {kind for row in CALL_TRANSITIONS.values() for kind in row}


def _started(call: CallRecord, event: Event) -> None:
    if call.known:  # the same call told by somebody else too: the first one stands
        return
    told = read(event.data, CallStarted)
    call.started_at = event.at
    call.source = told.source or "live"
    call.dialled, call.diverted = told.dialled, told.diverted
    call.line_id = call.line_id or told.line_id
    call.recording = told.recording
    call.caller_mask, call.caller_enc, call.caller_hash = told.caller.mask, told.caller.enc, told.caller.hash
    call.legs.insert(0, Leg("caller", told.channel, event.at, call.ended_at))


def _greeted(call: CallRecord, event: Event) -> None:
    if call.greeted_at is None:
        call.greeted_at = event.at


def _line_chosen(call: CallRecord, event: Event) -> None:
    call.line_id = event.data.get("line_id") or call.line_id


def _placed(call: CallRecord, event: Event) -> None:
    call.queue = event.data.get("queue", call.queue)
    call.priority = int(event.data.get("priority", call.priority))


def _queued(call: CallRecord, event: Event) -> None:
    _off_hold(call, event)
    call.queue = event.data.get("queue", call.queue)
    call.message = ""
    if call.queued_at is None:
        call.queued_at = event.at


def _talk_begins(call: CallRecord) -> None:
    call.talks += 1
    _more_is_recorded(call)


def _more_is_recorded(call: CallRecord) -> None:
    """Have what is recorded from now on closed and written down too."""
    call.recording_settled = False
    if call.transcript["status"] in ("done", "failed"):
        call.transcript = {**call.transcript, "status": "pending"}


def talked_since(call: CallRecord, at: float) -> bool:
    """Tell whether an operator has answered since a moment (seconds since the epoch)."""
    return any(leg.role == "operator" and leg.joined_at >= at for leg in call.legs)


def _part_begins(call: CallRecord, at: float) -> None:
    """A part was announced when its caller went back into the queue; the recording begins with the talk."""
    part = call.tracks[-1] if call.tracks else None
    if part is not None and part.both and not talked_since(call, part.at):
        call.tracks[-1] = replace(part, at=at)


def _answered(call: CallRecord, event: Event) -> None:
    _talk_begins(call)
    _part_begins(call, event.at)
    call.seat = event.data.get("seat")
    call.operator = event.data.get("operator")
    call.handed_off = False
    if call.answered_at is None:
        call.answered_at = event.at
    left_at = call.left_at if call.left_at is not None and call.left_at >= event.at else call.ended_at
    call.legs.append(Leg("operator", event.data.get("channel", ""), event.at, left_at))
    if call.ended_at is not None:  # we heard the end live and the answer only from Asterisk's records
        call.outcome = "answered"


def _operator_left(call: CallRecord, event: Event) -> None:
    call.left_at = event.at
    if event.data.get("reason") == PHONE_GONE:
        call.relieved.add(str(event.data.get("channel", "")))  # Asterisk tells it once more, and late
    if call.state is CallState.THREE_WAY and event.data.get("reason") != "caller":
        call.handed_off = True
    _close_legs(call, "operator", event.at)
    last = _last_leg(call, "operator", event.at)
    if last is not None and last.left_at is not None:  # told late: the end of the call had closed it
        last.left_at = min(last.left_at, event.at)


def _hung_up(call: CallRecord, event: Event) -> None:
    if call.callback is not None and not call.callback.apply(event):
        _close_legs(call, "caller", event.at)
        return  # the caller has hung up to be called back: the call goes on
    if call.ended_at is not None:
        return
    call.ended_at = event.at
    _close_legs(call, None, event.at)
    _off_hold(call, event)
    if call.handed_off:
        call.outcome = "handed_off"
    elif call.answered_at is not None:
        call.outcome = "answered"
    elif call.message:
        call.outcome = "voicemail"
    else:
        call.outcome = "failed" if event.data.get("failed") else "abandoned"


def _third_answered(call: CallRecord, event: Event) -> None:
    data = event.data
    call.legs.append(Leg("third", data.get("channel", ""), event.at, call.ended_at, data.get("target", "")))


def _third_gone(call: CallRecord, event: Event) -> None:
    _close_legs(call, "third", event.at)


def _handed_off(call: CallRecord, event: Event) -> None:
    call.handed_off = True
    _together(call, event)


def _together(call: CallRecord, event: Event) -> None:
    """The caller talks with the third party from now on."""
    _off_hold(call, event)
    third = _last_leg(call, "third", event.at)
    if third is not None and third.together_at is None:
        third.together_at = event.at


def _taken_over(call: CallRecord, event: Event) -> None:
    call.seat = event.data.get("seat")
    call.operator = event.data.get("operator")
    call.left_at = None
    call.handed_off = False
    call.relieved |= {leg.channel for leg in call.legs if leg.role == "operator"}
    _close_legs(call, "operator", event.at)
    call.legs.append(Leg("operator", event.data.get("channel", ""), event.at))


def _on_hold(call: CallRecord, event: Event) -> None:
    if not call.held or call.held[-1][1] is not None:
        call.held.append((event.at, None))


def _off_hold(call: CallRecord, event: Event) -> None:
    if call.held and call.held[-1][1] is None:
        call.held[-1] = (call.held[-1][0], event.at)


def _track(call: CallRecord, event: Event) -> None:
    call.tracks.append(Track(event.data["path"], tuple(event.data["sides"]), event.at))
    if not call.tracks[-1].both:  # a part is recorded only when its talk begins
        _more_is_recorded(call)


def _close_legs(call: CallRecord, role: str | None, at: float) -> None:
    for leg in call.legs:
        if leg.left_at is None and role in (None, leg.role):
            leg.left_at = at


def _last_leg(call: CallRecord, role: str, at: float) -> Leg | None:
    """Return the leg of a role that began last before a moment."""
    return next((leg for leg in reversed(call.legs) if leg.role == role and leg.joined_at <= at), None)


def _callback(call: CallRecord, event: Event) -> None:
    if event.kind is Kind.CALLBACK_CLAIMED:
        if call.callback is None and call.ended_at is None:
            call.callback = Callback.claimed(event)
        return
    if call.callback is None or not call.callback.apply(event):
        return
    if event.kind is Kind.CALLBACK_TRIED:
        call.seat = event.data.get("seat")
        call.operator = event.data.get("operator")
    elif event.kind is Kind.CALLBACK_ANSWERED:
        _talk_begins(call)
        call.answered_at = event.at
        call.recording = event.data.get("recording", call.recording)
        call.legs.append(Leg("caller", event.data.get("channel", ""), event.at))
        call.legs.append(Leg("operator", call.callback.seat_channel, event.at))
    elif event.kind is Kind.CALLBACK_FAILED:
        call.ended_at = event.at
        call.outcome = "callback"
        _close_legs(call, None, event.at)


def _voicemail(call: CallRecord, event: Event) -> None:
    if call.answered_at is None:
        call.message = str(event.data.get("message", ""))
    if call.ended_at is not None and call.outcome in ("abandoned", "failed") and call.message:
        call.outcome = "voicemail"


def _surveyed(call: CallRecord, event: Event) -> None:
    score = read(event.data, Surveyed).score
    call.satisfaction = score if score is not None and 1 <= score <= 5 else None


def _recording_closed(call: CallRecord, event: Event) -> None:
    kept = ("path", "sha256", "sides", "from_s")
    recording = {key: event.data[key] for key in kept if key in event.data}
    beside = bool(event.data.get("track") or event.data.get("remark"))
    if all(known["path"] != recording["path"] for known in call.recordings):
        call.recordings.insert(len(call.recordings) if beside else 0, recording)
    # tracks are closed before the main recording, which settles all
    call.recording_settled = call.recording_settled or not beside


def _recording_failed(call: CallRecord, event: Event) -> None:
    call.recording_settled = not event.data.get("postponed", False)


def _transcript(call: CallRecord, event: Event) -> None:
    status = {
        Kind.TRANSCRIPT_PENDING: "pending",
        Kind.TRANSCRIPT_DONE: "done",
        Kind.TRANSCRIPT_FAILED: "failed",
    }[event.kind]
    if event.kind is Kind.TRANSCRIPT_PENDING:
        call.recording_settled = True  # whatever was recorded so far is closed
    elif not call.recording_settled:
        status = "pending"  # these are the words of a former talk, and another has begun
    call.transcript = {"status": status, **event.data}


_CHANGES = {
    Kind.CALL_STARTED: _started,
    Kind.GREETED: _greeted,
    Kind.LINE_CHOSEN: _line_chosen,
    Kind.PLACED: _placed,
    Kind.QUEUED: _queued,
    Kind.ANSWERED: _answered,
    Kind.OPERATOR_LEFT: _operator_left,
    Kind.CALLER_HELD: _on_hold,
    Kind.THIRD_ANSWERED: _third_answered,
    Kind.THIRD_REFUSED: _third_gone,
    Kind.THIRD_LEFT: _third_gone,
    Kind.NEXT_ROUTE: _third_gone,
    Kind.EMERGENCY_FAILED: _third_gone,
    Kind.TRANSFER_CANCELLED: _third_gone,
    Kind.THREE_WAY: _together,
    Kind.CALLER_BACK: _off_hold,
    Kind.HANDED_OFF: _handed_off,
    Kind.TAKEN_OVER: _taken_over,
    Kind.TRACK_BEGUN: _track,
    Kind.HUNG_UP: _hung_up,
    Kind.CALLBACK_CLAIMED: _callback,
    Kind.CALLBACK_TRIED: _callback,
    Kind.CALLBACK_ANSWERED: _callback,
    Kind.CALLBACK_UNREACHED: _callback,
    Kind.CALLBACK_FAILED: _callback,
    Kind.VOICEMAIL_LEFT: _voicemail,
    Kind.SURVEYED: _surveyed,
    Kind.RECORDING_CLOSED: _recording_closed,
    Kind.RECORDING_FAILED: _recording_failed,
    Kind.TRANSCRIPT_PENDING: _transcript,
    Kind.TRANSCRIPT_DONE: _transcript,
    Kind.TRANSCRIPT_FAILED: _transcript,
}


def fold_call(call_id: str, events: Iterable[Event]) -> CallRecord:
    """Tell a call from all of its events."""
    record = CallRecord(call_id)
    for event in events:
        record.apply(event)
    return record
