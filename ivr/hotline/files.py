"""Read ``queues/*.yaml`` into a :class:`~ivr.hotline.book.HotlineBook`, or say what to mend.

The models here are the edge: what a person may write.  Inside, only the frozen book travels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ivr.errors import HotlineError
from ivr.hotline import book as _book

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ConfigurationError(HotlineError):
    """A file that administrators edit cannot be used."""

    code = "configuration"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,15}$")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\"\\;]*$")]


class HotlineFile(_File):
    """``hotline.yaml``."""

    city: Name
    region: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    area_code: Annotated[str, Field(pattern=r"^(0[0-9]{2,3})?$")] = ""
    number: Digits = "12345"
    timezone: str = "Asia/Shanghai"

    @field_validator("number")
    @classmethod
    def _not_an_emergency(cls, value: str) -> str:
        if value in _book.EMERGENCY_NUMBERS:
            raise ValueError(f"{value} stays separate and can never be the hotline")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError) as error:  # a zone that is not there is a KeyError
            raise ValueError(f"there is no time zone {value!r}; write for example Asia/Shanghai") from error
        return value


class LineEntry(_File):
    """One line of ``lines.yaml``."""

    id: Id
    number: Annotated[str, Field(pattern=r"^[0-9-]{3,20}$")]
    name: Name
    department: Name
    merge_mode: _book.MergeMode
    category: str = ""
    aliases: list[Name] = []

    @field_validator("number")
    @classmethod
    def _not_an_emergency(cls, value: str) -> str:
        if _book.digits(value) in _book.EMERGENCY_NUMBERS:
            raise ValueError(f"{value} stays separate and can never be a line")
        if len(_book.digits(value)) < 3:
            raise ValueError(f"{value} is no telephone number: write at least three digits")
        return value


class LinesFile(_File):
    """``lines.yaml``."""

    lines: list[LineEntry]


class QueueEntry(_File):
    """One queue of ``queues.yaml``."""

    id: Id
    name: Name
    ring_s: Annotated[int, Field(ge=5, le=120)] = 15
    strategy: Literal["leastrecent", "fewestcalls", "random", "rrmemory", "ringall"] = "rrmemory"

    @field_validator("id")
    @classmethod
    def _not_a_section_of_asterisk(cls, value: str) -> str:
        if value == "general":
            raise ValueError("Asterisk keeps the name general for itself; use for example q_general")
        return value


class QueuesFile(_File):
    """``queues.yaml``."""

    queues: Annotated[list[QueueEntry], Field(min_length=1)]


class SeatEntry(_File):
    """One seat of ``seats.yaml``."""

    id: Annotated[str, Field(pattern=r"^[0-9]{2}$")]
    extension: Annotated[str, Field(pattern=r"^[0-9]{3,6}$")]


class SeatsFile(_File):
    """``seats.yaml``."""

    seats: Annotated[list[SeatEntry], Field(max_length=24)]


class OperatorEntry(_File):
    """One person of ``operators.yaml``."""

    number: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    name: Name
    queues: list[Id] = ["q_general"]


class OperatorsFile(_File):
    """``operators.yaml``."""

    operators: list[OperatorEntry]


class ReceptionFile(_File):
    """``reception.yaml``."""

    greeting: Annotated[str, Field(pattern=r"^P[0-9]{3}$")] = "P001"


class TrunkEntry(_File):
    """The carrier's side of ``trunks.yaml``."""

    addresses: Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-fA-F:./]+$")]], Field(min_length=1)] = [
        "127.0.0.1"
    ]


class From110Entry(_File):
    """The 110 platform's own trunk."""

    username: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{2,30}$")] = "from-110"

    @field_validator("username")
    @classmethod
    def _nobody_elses(cls, value: str) -> str:
        if value == "trunk" or value.startswith(("seat", "ivr-")):
            raise ValueError(f"{value} is the name of something else in Asterisk; use for example from-110")
        return value


class TrunksFile(_File):
    """``trunks.yaml``."""

    lab: bool = True
    trunk: TrunkEntry = TrunkEntry()
    from_110: From110Entry = From110Entry()
    destinations: dict[str, list[str]] = {}


_Model = TypeVar("_Model", bound=_File)


def _read(folder: Path, name: str, model: type[_Model]) -> _Model:
    path = folder / name
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
        return model.model_validate(data if data is not None else {})
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path}: the file is missing; copy it from the shipped queues/ folder.",
            f"{path}:文件不存在;请从自带的 queues/ 目录复制。",
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or str(error)
        raise ConfigurationError(
            f"{where}: {what}; the file must be YAML in UTF-8.",
            f"{where}:{what};文件必须是 UTF-8 编码的 YAML。",
        ) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
        raise ConfigurationError(f"{path}: {faults}", f"{path}:{faults}") from error


def load(folder: Path) -> _book.HotlineBook:
    """Read one configuration folder.

    Raises:
        ConfigurationError: ``file[:line]: what and how to mend it``.
    """
    hotline = _read(folder, "hotline.yaml", HotlineFile)
    trunks = _read(folder, "trunks.yaml", TrunksFile)
    book = _book.HotlineBook(
        city=hotline.city,
        region=hotline.region,
        area_code=hotline.area_code,
        number=hotline.number,
        timezone=hotline.timezone,
        greeting=_read(folder, "reception.yaml", ReceptionFile).greeting,
        lines=tuple(
            _book.Line(**(e.model_dump() | {"aliases": tuple(e.aliases)}))
            for e in _read(folder, "lines.yaml", LinesFile).lines
        ),
        queues=tuple(
            _book.QueueSpec(**e.model_dump()) for e in _read(folder, "queues.yaml", QueuesFile).queues
        ),
        seats=tuple(_book.Seat(**e.model_dump()) for e in _read(folder, "seats.yaml", SeatsFile).seats),
        operators=tuple(
            _book.Operator(e.number, e.name, tuple(e.queues))
            for e in _read(folder, "operators.yaml", OperatorsFile).operators
        ),
        trunks=_book.Trunks(
            addresses=tuple(trunks.trunk.addresses),
            from_110_username=trunks.from_110.username,
            lab=trunks.lab,
            destinations={target: tuple(uris) for target, uris in trunks.destinations.items()},
        ),
    )
    _cross_check(folder, book)
    return book


def _reached_by(book: _book.HotlineBook) -> list[str]:
    """Return every digit string that reaches a line or the hotline, once for each that it reaches."""
    numbers = [*(line.number for line in book.lines), book.number]
    return [form for number in numbers for form in set(book.number_forms(number))]


def _cross_check(folder: Path, book: _book.HotlineBook) -> None:
    """Refuse what is right file by file and wrong together."""
    for what, name, values in (
        ("line id", "lines.yaml", [line.id for line in book.lines]),
        ("line number", "lines.yaml", _reached_by(book)),
        ("queue id", "queues.yaml", [queue.id for queue in book.queues]),
        ("seat id", "seats.yaml", [seat.id for seat in book.seats]),
        ("extension", "seats.yaml", [seat.extension for seat in book.seats]),
        ("operator number", "operators.yaml", [person.number for person in book.operators]),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ConfigurationError(
                f"{folder / name}: {what} {', '.join(twice)} stands twice; keep one.",
                f"{folder / name}:{what} {'、'.join(twice)} 重复;请只保留一个。",
            )
    known = {queue.id for queue in book.queues}
    for person in book.operators:
        missing = [queue for queue in person.queues if queue not in known]
        if missing:
            raise ConfigurationError(
                f"{folder / 'operators.yaml'}: operator {person.number} serves {missing[0]}, "
                f"which queues.yaml does not have (it has {', '.join(sorted(known))}).",
                f"{folder / 'operators.yaml'}:话务员 {person.number} 的队列 {missing[0]} 不在 queues.yaml 中。",
            )
