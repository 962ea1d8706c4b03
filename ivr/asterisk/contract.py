"""Everything that the engine and the dialplan of ``asterisk_conf/`` must call by the same name.

A name stands here once.  It goes into the templates as a value (:func:`values`), and whoever speaks to Asterisk
takes it from here; ``agi_scripts/`` runs without the engine and is tested against it.  Variables are spelled in the
dialplan as they are here: ``tests/unit/test_contract.py`` reads the rendered files and finds what only one side knows.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple

from ivr.calls import file_names
from ivr.calls.facts import ANSWERED, CALLING, NOTICE
from ivr.calls.reception import STORY


class Written(str):
    """Words of our own dialplan: unlike a value from outside they may hold ``${…}``."""

    __slots__ = ()


class Context(enum.StrEnum):
    """Contexts to which the engine leads a channel, or by which it knows where one is."""

    RECEPTION = "ivr-reception"
    AWAY = "ivr-away"
    MENU = "ivr-menu"
    QUEUE = "ivr-queue"
    IN_QUEUE = "ivr-in-queue"
    AFTER_QUEUE = "ivr-after-queue"
    VOICEMAIL = "ivr-voicemail"
    SURVEY = "ivr-survey"
    STAR = "ivr-star"
    BACK_TO_GENERAL = "ivr-back-to-general"
    CALLBACK = "ivr-callback"
    CALLBACK_OUT = "ivr-callback-out"
    AWAIT = "ivr-await"
    ROOM_CALLER = "ivr-room-caller"
    ROOM = "ivr-room"
    REQUEUE = "ivr-requeue"
    THIRD = "ivr-third"
    EXPERT = "ivr-expert"
    TELL = "ivr-tell"
    KEYS = "ivr-keys"
    ROOM_KEYS = "ivr-room-keys"


LED_TO: Mapping[Context, Sequence[str]] = {
    Context.VOICEMAIL: ("s",),
    Context.STAR: ("*",),
    Context.BACK_TO_GENERAL: ("7",),
    Context.CALLBACK: ("a1-1.1",),
    Context.CALLBACK_OUT: ("s",),
    Context.AWAIT: ("s", "120"),
    Context.ROOM_CALLER: ("s", "120"),
    Context.ROOM: ("operator",),
    Context.REQUEUE: ("s",),
    Context.THIRD: ("ask", "help"),
    Context.EXPERT: ("q_market",),
    Context.TELL: ("s",),
}
"""The extensions to which the engine leads channels there; an example, where a place, a call or a queue is meant."""


class Variable(enum.StrEnum):
    """Variables that the engine sets for the dialplan, or reads of it."""

    CALL = "IVR_CALL"
    RECORDING = "IVR_RECORDING"
    QUEUE = "IVR_QUEUE"
    POSITION = "IVR_POSITION"
    SOURCE = "IVR_SOURCE"
    LINE = "IVR_LINE"
    DIALLED = "IVR_DIALLED"
    # what the engine answers over AGI
    PLACEMENT = "IVR_PLACEMENT"
    MENU = "IVR_MENU"
    STAR = "IVR_STAR"
    DONE = "IVR_DONE"
    SAID = "IVR_SAID"
    SPY = "IVR_SPY"
    SPY_OPTIONS = "IVR_SPY_OPTIONS"
    BARGES = "IVR_BARGES"
    AGAIN = "IVR_AGAIN"
    CLAIMED = "IVR_CLAIMED"
    # rooms
    AWAIT = "IVR_AWAIT"
    ASK = "IVR_ASK"
    SAY = "IVR_SAY"
    PHONE_GONE = "IVR_PHONE_GONE"
    # callbacks
    TRY = "IVR_TRY"
    TO = "IVR_TO"
    PRIORITY = "IVR_PRIORITY"
    SPARE = "IVR_SPARE"
    # admission
    STRAINED_LIMIT = "IVR_STRAINED_LIMIT"
    STRAINED_UNTIL = "IVR_STRAINED_UNTIL"


READ_OF_THE_DIALPLAN = frozenset({Variable.RECORDING})
"""What the engine reads; of the others it sets each."""


class Says(enum.StrEnum):
    """The names of UserEvents."""

    REFUSED = "IvrRefused"
    VOICEMAIL = "IvrVoicemail"
    CALLBACK = "IvrCallback"
    GONE = "IvrGone"
    HELD = "IvrHeld"
    STAR = "IvrStar"
    KEYS = "IvrKeys"
    ROOM = "IvrRoom"
    HELP = "IvrHelp"
    THIRD = "IvrThird"
    TRACK = "IvrTrack"


FIELDS: Mapping[Says, Sequence[str]] = {
    Says.REFUSED: ("Dialled", "Endpoint", "Address"),
    Says.VOICEMAIL: ("Call", "Message"),
    Says.CALLBACK: ("Call", "Try", "What"),
    Says.GONE: (),
    Says.HELD: (),
    Says.STAR: (),
    Says.KEYS: ("Call", "Keys"),
    Says.ROOM: ("Call", "Wish"),
    Says.HELP: ("Step", "Number", "Route"),
    Says.THIRD: ("Step",),
    Says.TRACK: ("Side", "Path"),
}
"""What each tells, in the order in which it stands there."""

WORDS: Mapping[tuple[Says, str], frozenset[str]] = {
    (Says.ROOM, "Wish"): frozenset({"complete", "cancel", "mute"}),
    (Says.HELP, "Step"): frozenset({"wanted", "route", "failed", "loop"}),
    (Says.THIRD, "Step"): frozenset({"answered", "accepted", "refused", "unheeded"}),
    (Says.TRACK, "Side"): frozenset({"both"}),
}
"""Fields that say one of a few words."""


class Noted(enum.StrEnum):
    """What the dialplan writes into Asterisk's channel events (CELGenUserEvent), where no engine need hear it."""

    RECEPTION = "IVR_RECEPTION"
    VOICEMAIL = "IVR_VOICEMAIL"
    HELP = "IVR_HELP"
    REFUSED = "IVR_REFUSED"


REFUSED_WORDS = frozenset({"unknown_number", "busy"})
"""Why the dialplan lets nobody in; a slash and the number dialled follow."""


@dataclass(frozen=True)
class Request:
    """A program of ours that the dialplan asks: over FastAGI, or one that Asterisk starts.

    Attributes:
        script: what it is called.
        told: its arguments by name, in order, each as the dialplan writes it.
    """

    script: str
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> Written:
        """The arguments as the dialplan writes them."""
        return Written(",".join(self.told.values()))

    def read(self, arguments: Sequence[str]) -> Mapping[str, str]:
        """Return arguments by name; what was not given is empty."""
        return dict(zip(self.told, [*arguments, *[""] * len(self.told)], strict=False))


_CALL = "${CHANNEL(linkedid)}"
_STORY = {name: f"${{IVR_{name.upper()}}}" for name in STORY}
STORY_WORDS = Written("/".join(_STORY.values()))
"""What the dialplan tells of a call, to the engine and to CEL alike: one word, with slashes."""

RECEPTION = Request("reception", {"call": _CALL, "story": STORY_WORDS})
MENU = Request("menu", {"call": _CALL, "story": STORY_WORDS})
SEAT = Request("seat", {"verb": "${IVR_VERB}", "value": "${IVR_VALUE}", "endpoint": "${CHANNEL(endpoint)}"})
LEADER = Request(
    "leader",
    {
        "digit": "${EXTEN:2:1}",
        "seat": "${EXTEN:3}",
        "endpoint": "${CHANNEL(endpoint)}",
        "channel": "${CHANNEL(name)}",
    },
)
CALLBACK = Request("callback", {"call": "${IVR_CALL}", "queue": "${IVR_QUEUE}"})
SURVEY = Request("survey", {"call": "${IVR_CALL}"})
AWAY = Request(
    "away",
    {"call": _CALL}
    | {name: _STORY[name] for name in ("dialled", "source", "recording", "headers", "reference")},
)
"""``agi_scripts/reception_away.py``, which knows its arguments by place."""
REQUESTS = (RECEPTION, MENU, SEAT, LEADER, CALLBACK, SURVEY, AWAY)

SEPARATOR = "^"
PLACED = ("queue", "priority", "greeting", "line")
"""What the engine decides of a caller, in one word (``IVR_PLACEMENT``)."""


def placement(**parts: str) -> str:
    """Return the word of a decision; its parts are those of :data:`PLACED`."""
    return SEPARATOR.join(parts[name] for name in PLACED)


FAMILY = "ivr-callback"
"""Where the dialplan leaves word of callbacks in Asterisk's own database."""
CALLBACK_WORDS = {"calling": CALLING, "notice": NOTICE, "answered": ANSWERED}
"""``<try>/<word>``; after the last two a slash, the citizen's channel, the separator and the seat's."""

WAY_OUT, WAY_BACK = "ivr-out", "ivr-callback"
"""SIP endpoints to third parties, and to citizens who are called back."""
MUSIC = "ivr12345"
"""The class of music; with a dash and a prompt behind it, one that begins with an announcement."""
GROUP, ADMITTED = "ivr12345", "caller"
"""How the dialplan counts the callers that are let in."""
RECORDS = "ivr12345.csv"
"""Asterisk's channel events and call records."""


class CelLine(NamedTuple):
    """A line of Asterisk's channel events, as :data:`CEL_WRITTEN` says."""

    kind: str
    at: str
    call_id: str
    unique_id: str
    channel: str
    caller: str
    context: str
    peer: str
    defined: str
    extra: str


class CdrLine(NamedTuple):
    """A line of Asterisk's call records, as :data:`CDR_WRITTEN` says."""

    call_id: str
    unique_id: str
    start: str
    answer: str
    end: str
    context: str
    disposition: str
    application: str
    seat_channel: str
    caller: str


CEL_WRITTEN: Mapping[str, str] = {
    "kind": "${eventtype}",
    "at": "${eventtime}",
    "call_id": "${CHANNEL(linkedid)}",
    "unique_id": "${CHANNEL(uniqueid)}",
    "channel": "${CHANNEL(channame)}",
    "caller": "${CALLERID(num)}",
    "context": "${CHANNEL(context)}",
    "peer": "${BRIDGEPEER}",
    "defined": "${userdeftype}",
    "extra": "${eventextra}",
}
CDR_WRITTEN: Mapping[str, str] = {
    "call_id": "${CDR(linkedid)}",
    "unique_id": "${CDR(uniqueid)}",
    "start": "${CDR(start,u)}",
    "answer": "${CDR(answer,u)}",
    "end": "${CDR(end,u)}",
    "context": "${CDR(dcontext)}",
    "disposition": "${CDR(disposition)}",
    "application": "${CDR(lastapp)}",
    "seat_channel": "${CDR(dstchannel)}",
    "caller": "${CDR(src)}",
}


def _quoted(fields: Sequence[str], written: Mapping[str, str]) -> Written:
    return Written(",".join(f"${{CSV_QUOTE({written[name]})}}" for name in fields))


def _named(names: Iterable[enum.StrEnum]) -> SimpleNamespace:
    return SimpleNamespace(**{one.name.lower(): one.value for one in names})


UNKNOWN_CALL = "127"
"""Asterisk's cause of a channel whose phone answered 481 (Q.850 interworking)."""


def values() -> dict[str, object]:
    """Return all of it as the templates name it."""
    return {
        "at": _named(Context),
        "unknown_call": UNKNOWN_CALL,
        "says": _named(Says),
        "noted": _named(Noted),
        "ask": {one.script: one for one in REQUESTS},
        "story": STORY_WORDS,
        "placed": {name: number for number, name in enumerate(PLACED, 1)},
        "sep": SEPARATOR,
        "family": FAMILY,
        "word": CALLBACK_WORDS,
        "way_out": WAY_OUT,
        "way_back": WAY_BACK,
        "music": MUSIC,
        "group": GROUP,
        "admitted": ADMITTED,
        "track": {
            name.lower(): getattr(file_names, name)
            for name in ("RAW", "WAV", "HELP", "PART", "MESSAGE", "SPARE")
        },
        "records": RECORDS,
        "cel_line": _quoted(CelLine._fields, CEL_WRITTEN),
        "cdr_line": _quoted(CdrLine._fields, CDR_WRITTEN),
    }
