"""Payloads of a call: from reception to the hang-up."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events.payloads.payload import NOBODY, Number, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Payload):
    """A call reached reception; its ticket is open from here on.

    Attributes:
        source: ``live``, ``110_diversion``, or ``reconciled`` where nobody heard it live.
        dialled: digits dialled.
        diverted: numbers that the call was forwarded from; ours as they are, others masked.
        line_id: the department line that was dialled or forwarded from.
        caller: the caller's number.
        channel: the caller's channel.
        recording: path of the recording, without extension.
        police_ref: 110's own number of the matter.
    """

    source: str
    dialled: str = ""
    diverted: tuple[str, ...] = ()
    line_id: str | None = None
    caller: Number = NOBODY
    channel: str = ""
    recording: str = ""
    police_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted(Payload):
    """The call was answered: greeting, menu or, for 110, the queue's music begins here.

    Attributes:
        channel: the caller's channel.
    """

    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChosen(Payload):
    """It is known which line the call is about, or the menu found none.

    Attributes:
        line_id: the line; none goes to a person.
        by: ``dialled``, ``diverted``, ``keys``, ``speech``, or ``nothing`` where nobody chose.
        keyed: keys that were pressed; of a long row only the first three.
        heard: the words that were recognised.
        emergency: 110, 119, 120, 122 or ``*``; empty for none.
        why: why nobody chose.
        wish: ``ticket_query`` or ``english``.
        score: how sure the recognised words are, 0 to 1.
        candidates: lines or emergency numbers between which a question decides.
        question: that question.
        referral: the number of another service that the words mean.
    """

    line_id: str | None
    by: str
    keyed: str = ""
    heard: str = ""
    emergency: str = ""
    why: str = ""
    wish: str = ""
    score: float | None = None
    candidates: tuple[str, ...] = ()
    question: str = ""
    referral: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed(Payload):
    """It was decided which queue the call goes to; the dialplan does the rest.

    Attributes:
        queue: the queue.
        priority: in that queue; the higher the sooner.
        emergency: what the caller asked for, where that decided.
        passed_on: the centre that the operator may pass the call on to.
        missing: the queue of the line that no file has.
        closed: the expert queue that takes no calls now.
        mode: the mode that changed the way, where one did.
        alarm: the fault that sent the call to the general queue: ``calendar_missing``.
        sentence: that fault in English.
        sentence_zh: that fault in Chinese.
    """

    queue: str
    priority: int
    emergency: str = ""
    passed_on: str = ""
    missing: str = ""
    closed: str = ""
    mode: str = ""
    alarm: str = ""
    sentence: str = ""
    sentence_zh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(Payload):
    """The caller entered a queue, or came back into one.

    Attributes:
        queue: the queue; unknown where Asterisk's records tell it.
        position: place on entry, from 1; 0 where it is unknown.
    """

    queue: str | None = None
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackToGeneralQueue(Payload):
    """A caller was led from another queue back to the general one.

    Attributes:
        from_: the queue that was left.
        why: ``closed in this mode``, ``closed at this hour`` or ``nobody is logged in``.
    """

    from_: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatRinging(Payload):
    """A seat's phone was called for the caller.

    Attributes:
        seat: the seat; none for a phone that is no seat of ours.
        operator: who sits there.
        queue: the queue that calls.
        channel: the seat's channel.
    """

    seat: str | None
    operator: str | None = None
    queue: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatNoAnswer(Payload):
    """A seat rang and did not answer.

    Attributes:
        seat: the seat; none for a phone that is no seat of ours.
        operator: who sits there.
        queue: the queue that called.
        ring_s: seconds it rang.
    """

    seat: str | None
    operator: str | None = None
    queue: str = ""
    ring_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Payload):
    """An operator answered: the talk begins.

    Attributes:
        seat: the seat; none for a phone that is no seat of ours.
        operator: who sits there.
        queue: the queue they came from.
        channel: the seat's channel.
        waited_s: whole seconds in the queue, as Asterisk counts them.
    """

    seat: str | None
    operator: str | None = None
    queue: str = ""
    channel: str = ""
    waited_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLeft(Payload):
    """The operator is with the caller no more.

    Attributes:
        reason: ``agent`` or ``caller`` hung up, ``transfer``, ``phone gone``; empty where that is unknown.
        channel: the seat's channel.
        seat: the seat.
        operator: who sat there.
        queue: the queue they were called from.
        talk_s: whole seconds of the talk, as Asterisk counts them.
    """

    reason: str = ""
    channel: str = ""
    seat: str | None = None
    operator: str | None = None
    queue: str = ""
    talk_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp(Payload):
    """The caller's channel ended.

    Attributes:
        channel: the caller's channel.
        cause: Q.850 cause; 0 where it is unknown.
        cause_text: the cause in words.
        failed: Asterisk lost the call before anybody answered.
    """

    channel: str = ""
    cause: int = 0
    cause_text: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSilent(Payload):
    """Nothing has been heard of a side for long.

    Attributes:
        side: ``caller``, ``operator`` or ``third``.
        packets: its packets arrive, without any sound.
    """

    side: str
    packets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SideHeardAgain(Payload):
    """A side that was silent is heard again.

    Attributes:
        side: ``caller``, ``operator`` or ``third``.
    """

    side: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SideGone(Payload):
    """A side answers no more, not even when asked, and was taken away: an unplugged phone, a line that is down.

    Attributes:
        side: ``operator`` or ``third``.
        seat: the seat, of an operator.
        operator: who sat there.
    """

    side: str
    seat: str | None = None
    operator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened(Payload):
    """The shift leader listened in, whispered, spoke with both or began to take over.

    Attributes:
        how: ``listen``, ``whisper``, ``barge`` or ``take over``.
        by: the shift leader's operator number.
        from_seat: the seat they did it from.
        seat: the seat they did it to.
    """

    how: str
    by: str
    from_seat: str
    seat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOverWanted(Payload):
    """The shift leader takes the call over, and is on the way.

    Attributes:
        seat: the leader's seat.
        operator: the leader's number.
        channel: the leader's channel.
    """

    seat: str
    operator: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver(Payload):
    """A shift leader has taken the call over from its operator.

    Attributes:
        seat: the shift leader's seat.
        operator: the shift leader's operator number.
        channel: the shift leader's channel.
        from_channel: the channel of the operator who was relieved; empty for none.
        from_operator: who was relieved.
    """

    seat: str
    operator: str
    channel: str
    from_channel: str = ""
    from_operator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicemailLeft(Payload):
    """The caller is asked for a message, which is recorded from here on.

    Attributes:
        message: path of the message, without extension.
    """

    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed(Payload):
    """The caller was asked how content they are.

    Attributes:
        score: 1 (very content) to 5; none where nobody said.
    """

    score: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmNoted(Payload):
    """An alarm about the call, where no board of alarms is kept.

    Attributes:
        alarm: its kind.
        sentence: what is wrong, in English.
        sentence_zh: the same in Chinese.
    """

    alarm: str
    sentence: str = ""
    sentence_zh: str = ""
