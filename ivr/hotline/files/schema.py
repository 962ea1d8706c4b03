"""What a person may write in each file: pydantic at the edge.

Inside, only the frozen book travels.  The JSON schemas that editors complete from are made of
these models too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from ivr.hotline.book import MergeMode, QueueKind
from ivr.hotline.files.fields import (
    Clock,
    Day,
    Digits,
    EmergencyNumber,
    Flag,
    Id,
    MaybeId,
    Name,
    NoPrompt,
    OperatorNumber,
    Phone,
    Prompt,
    QueueId,
    Rank,
    Sentence,
    Uri,
    known_target,
    known_zone,
    network,
    not_an_emergency_line,
    not_the_hotline,
    one_leader,
    opening_hours,
    own_username,
    seat_extension,
)
from ivr.hotline.modes import ModeName, ReceptionStyle

MAX_LINES = 2000
MAX_SEATS = 2000
"""So many were measured; the telephone codes would bear 10,000."""
MAX_OPERATORS = 10_000
"""As many as four digits can name."""


class Written(BaseModel):
    """A mapping in a file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DemandEntry(Written):
    """What a day is expected to bring; times in seconds."""

    calls_per_day: Annotated[int, Field(ge=1, le=1_000_000)]
    aht_s: Annotated[int, Field(ge=10, le=3600)] = 210
    patience_s: Annotated[int, Field(ge=5, le=3600)] = 90


class HotlineFile(Written):
    """``hotline.yaml``."""

    city: Name
    region: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    area_code: Annotated[str, Field(pattern=r"^(0[0-9]{2,3})?$")] = ""
    number: Annotated[Digits, AfterValidator(not_the_hotline)] = "12345"
    timezone: Annotated[str, AfterValidator(known_zone)] = "Asia/Shanghai"
    demand: DemandEntry | None = None


class LineEntry(Written):
    """One line of ``lines.yaml``."""

    id: Id
    number: Annotated[str, Field(pattern=r"^[0-9-]{3,20}$"), AfterValidator(not_an_emergency_line)]
    name: Name
    department: Name
    merge_mode: MergeMode
    category: Annotated[str, Field(max_length=100)] = ""
    aliases: Annotated[list[Name], Field(max_length=200)] = []
    queue: MaybeId = ""


class AmbiguousEntry(Written):
    """A name that several lines share."""

    text: Name
    ask: Sentence
    candidates: Annotated[list[Id], Field(min_length=2, max_length=9)]


class EmergencyEntry(Written):
    """Words of an emergency."""

    number: Digits
    name: Name
    words: Annotated[list[Name], Field(min_length=1, max_length=200)]
    transfer: Flag = True


class ReferralEntry(Written):
    """Words for somebody else's number."""

    number: Digits
    name: Name
    words: Annotated[list[Name], Field(min_length=1, max_length=200)]


class LinesFile(Written):
    """``lines.yaml``."""

    lines: Annotated[list[LineEntry], Field(max_length=MAX_LINES)]
    ambiguous: Annotated[list[AmbiguousEntry], Field(max_length=1000)] = []
    emergencies: Annotated[list[EmergencyEntry], Field(max_length=100)] = []
    referrals: Annotated[list[ReferralEntry], Field(max_length=1000)] = []


class QueueEntry(Written):
    """One queue of ``queues.yaml``; names that end in ``_s`` are seconds."""

    id: QueueId
    name: Name
    ring_s: Annotated[int, Strict(), Field(ge=5, le=120)] = 15
    strategy: Literal["leastrecent", "fewestcalls", "random", "rrmemory", "ringall"] = "rrmemory"
    kind: QueueKind = QueueKind.GENERAL
    hours: Annotated[str, AfterValidator(opening_hours)] = "always"
    wrap_up_s: Annotated[int, Strict(), Field(ge=0, le=600)] = 30
    callback_after_s: Annotated[int, Strict(), Field(ge=20, le=3600)] = 60
    max_wait_s: Annotated[int, Strict(), Field(ge=60, le=7200)] = 900
    overflow_to: MaybeId = ""
    overflow_after_s: Annotated[int, Strict(), Field(ge=0, le=3600)] = 60


class QueuesFile(Written):
    """``queues.yaml``."""

    queues: Annotated[list[QueueEntry], Field(min_length=1, max_length=200)]


class SeatEntry(Written):
    """One seat of ``seats.yaml``."""

    id: Annotated[str, Field(pattern=r"^[0-9]{2,4}$")]
    extension: Annotated[str, Field(pattern=r"^[0-9]{3,6}$"), AfterValidator(seat_extension)]


class SeatsFile(Written):
    """``seats.yaml``."""

    seats: Annotated[list[SeatEntry], Field(max_length=MAX_SEATS)]


class OperatorEntry(Written):
    """One person of ``operators.yaml``."""

    number: OperatorNumber
    name: Name
    queues: Annotated[list[QueueId], Field(max_length=200)] = ["q_general"]
    skills: Annotated[list[Name], Field(max_length=50)] = []
    leads: Flag = False


class OperatorsFile(Written):
    """``operators.yaml``."""

    operators: Annotated[list[OperatorEntry], Field(max_length=MAX_OPERATORS)]


class PrioritiesEntry(Written):
    """Who goes first: the higher the sooner."""

    diversion_110: Rank = 30
    emergency: Rank = 20
    callback: Rank = 10
    ordinary: Rank = 0


class ReceptionFile(Written):
    """``reception.yaml``."""

    greeting: Prompt = "P001"
    style: ReceptionStyle = ReceptionStyle.DIRECT
    parallel_prompt: NoPrompt = "P005"
    merged_prompt: NoPrompt = "P006"
    keys: dict[Annotated[str, Field(pattern=r"^[1-9]$")], Id] = {}
    speech: Flag = False
    star_number: EmergencyNumber = "110"
    priorities: PrioritiesEntry = PrioritiesEntry()


class TrunkEntry(Written):
    """The carrier's side of ``trunks.yaml``."""

    addresses: Annotated[
        list[Annotated[str, Field(pattern=r"^[0-9a-fA-F:./]+$"), AfterValidator(network)]],
        Field(min_length=1, max_length=100),
    ] = ["127.0.0.1"]


class From110Entry(Written):
    """The 110 platform's own trunk."""

    username: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{2,30}$"), AfterValidator(own_username)] = (
        "from-110"
    )
    reference_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,40}$")] = "X-Police-Ref"


class TrunksFile(Written):
    """``trunks.yaml``."""

    lab: Flag = True
    trunk: TrunkEntry = TrunkEntry()
    from_110: From110Entry = From110Entry()
    destinations: dict[
        Annotated[str, AfterValidator(known_target)], Annotated[list[Uri], Field(min_length=1, max_length=9)]
    ] = {}


class ShiftEntry(Written):
    """One shift of ``shifts.yaml``."""

    id: Id
    name: Name
    start: Clock
    end: Clock
    min_on_duty: Annotated[int, Strict(), Field(ge=1, le=MAX_SEATS)] = 1


class ShiftsFile(Written):
    """``shifts.yaml``."""

    shifts: Annotated[list[ShiftEntry], Field(min_length=1, max_length=24)]


class CrewEntry(Written):
    """Who works a shift; ``teams`` and ``operators`` add up."""

    leader: Annotated[OperatorNumber, BeforeValidator(one_leader)]
    teams: Annotated[list[Id], Field(max_length=100)] = []
    operators: Annotated[list[OperatorNumber], Field(max_length=MAX_OPERATORS)] = []


Crews = dict[Id, CrewEntry]


class CycleEntry(Written):
    """The days that come again and again."""

    start: Annotated[Day, Field(alias="from")]
    days: Annotated[list[Crews], Field(min_length=1, max_length=366)]


class RosterFile(Written):
    """``roster.yaml``."""

    rest_h: Annotated[int, Strict(), Field(ge=1, le=24)] = 8
    teams: dict[Id, Annotated[list[OperatorNumber], Field(max_length=MAX_OPERATORS)]] = {}
    cycle: CycleEntry
    days: Annotated[dict[Day, Crews], Field(max_length=1000)] = {}


class UnitEntry(Written):
    """One handling unit of ``units.yaml``."""

    id: Id
    name: Name
    level: Annotated[int, Strict(), Field(ge=1, le=3)]
    parent: MaybeId = ""
    duty_phone: Phone = ""
    mobile: Phone = ""
    leader_phone: Phone = ""
    can_be_main: Flag = True


class UnitsFile(Written):
    """``units.yaml``."""

    units: Annotated[list[UnitEntry], Field(max_length=5000)]


class YearEntry(Written):
    """One published year."""

    holidays: Annotated[list[Day], Field(min_length=1, max_length=366)]
    makeup_workdays: Annotated[list[Day], Field(max_length=366)] = []


class CalendarFile(Written):
    """``calendar.yaml``."""

    years: dict[Annotated[str, Field(pattern=r"^[0-9]{4}$")], YearEntry]


class ModeEntry(Written):
    """What is different while a mode is set."""

    prompt: NoPrompt = ""
    overflow_at_once: Flag = False
    experts_closed: Flag = False
    priority: dict[Id, Rank] = {}


class ModesFile(Written):
    """``modes.yaml``."""

    modes: dict[ModeName, ModeEntry]


FILES: Mapping[str, type[Written]] = {
    "hotline.yaml": HotlineFile,
    "lines.yaml": LinesFile,
    "queues.yaml": QueuesFile,
    "trunks.yaml": TrunksFile,
    "seats.yaml": SeatsFile,
    "operators.yaml": OperatorsFile,
    "shifts.yaml": ShiftsFile,
    "roster.yaml": RosterFile,
    "units.yaml": UnitsFile,
    "calendar.yaml": CalendarFile,
    "reception.yaml": ReceptionFile,
    "modes.yaml": ModesFile,
}
"""Every file of a configuration, in the order people are told about it."""
