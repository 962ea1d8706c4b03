"""From the data of an event to its typed payload, and what is wrong with data that we write.

Reading never fails: what a newer version added is passed over, and what is missing or no value of its type counts as
said nothing of.  Writing is exact: ``faults`` tells what the catalogue does not know.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from ivr.events.event import Event
from ivr.events.kinds import Kind
from ivr.events.payloads.catalogue import PAYLOADS, STREAMS
from ivr.events.payloads.payload import Payload
from ivr.events.streams import stream_type

P = TypeVar("P")
Convert = Callable[[Any], Any]
_MISSING = object()
_FIELDS: dict[type[Any], tuple[Field, ...]] = {}
"""The fields of each payload that was asked for."""


class _WrongType(Exception):
    """A value is none of its field's type."""


class Field(NamedTuple):
    """A field of a payload: its name in the code and in the journal, and what counts where nothing is said.

    ``check`` is as ``convert``, and refuses a part that has fields of a newer version, too.
    """

    name: str
    key: str
    convert: Convert
    empty: Any
    needed: bool
    check: Convert


def payload_of(event: Event) -> Payload:
    """Return the typed payload of an event; of a kind that a newer version wrote, one without fields."""
    return read(event.data, PAYLOADS.get(event.kind, Payload))


def read(data: Mapping[str, Any], payload: type[P]) -> P:
    """Return data as a typed payload."""
    values = {}
    for name, key, convert, empty, _, _ in fields_of(payload):
        value = data.get(key, _MISSING)
        try:
            values[name] = empty if value is _MISSING else convert(value)
        except _WrongType:
            values[name] = empty
    return payload(**values)


def faults(event: Event) -> list[str]:
    """Return what is wrong with an event that we are about to write: nothing, where the catalogue knows it all."""
    payload = PAYLOADS.get(event.kind)
    if payload is None or event.kind is Kind.NOTED:
        return [f"{event.kind} is written by nobody"]
    found = []
    if event.kind is not Kind.CLOCK_SET and stream_type(event.stream) is not STREAMS[event.kind]:
        found.append(f"it is told in {event.stream}, which is no stream of a {STREAMS[event.kind]}")
    return [f"{event.kind}: {fault}" for fault in (*found, *_faults(event.data, payload))]


def _faults(data: Mapping[str, Any], payload: type[Any]) -> Iterable[str]:
    fields = {field.key: field for field in fields_of(payload)}
    yield from (f"no field {key}" for key in data.keys() - fields.keys())
    yield from (f"{key} is missing" for key, field in fields.items() if field.needed and key not in data)
    for key in data.keys() & fields.keys():
        try:
            fields[key].check(data[key])
        except _WrongType:
            yield f"{key} is {data[key]!r}"


def fields_of(payload: type[Any]) -> tuple[Field, ...]:
    """Return the fields of a payload."""
    found = _FIELDS.get(payload)
    if found is None:
        found = _FIELDS[payload] = _fields_of(payload)
    return found


def _fields_of(payload: type[Any]) -> tuple[Field, ...]:
    hints = typing.get_type_hints(payload)
    found = []
    for field in dataclasses.fields(payload):
        name, type_ = field.name, hints[field.name]
        needed = field.default is dataclasses.MISSING
        empty = _empty(type_) if needed else field.default
        convert, check = _converter(type_, read), _converter(type_, _whole)
        found.append(Field(name, name.rstrip("_"), convert, empty, needed, check))
    return tuple(found)


def _empty(type_: Any) -> Any:
    if isinstance(type_, types.UnionType):
        return None
    if _has_fields(type_):
        return read({}, type_)
    return (typing.get_origin(type_) or type_)()


def _has_fields(type_: Any) -> bool:
    return isinstance(type_, type) and dataclasses.is_dataclass(type_)


def _whole(data: Mapping[str, Any], part: type[P]) -> P:
    """Return a part with which nothing is wrong."""
    if list(_faults(data, part)):
        raise _WrongType
    return read(data, part)


def _converter(type_: Any, part: Callable[[Mapping[str, Any], type[Any]], Any]) -> Convert:
    """Return what turns a JSON value into a value of a type, or raises ``_WrongType``.

    Args:
        type_: of a field.
        part: reads a part that has fields of its own.
    """
    if isinstance(type_, types.UnionType):  # X | None is all that there is
        (inner,) = (one for one in typing.get_args(type_) if one is not types.NoneType)
        return functools.partial(_optional, _converter(inner, part))
    if _has_fields(type_):
        return functools.partial(_part, type_, part)
    if typing.get_origin(type_) is tuple:
        parts = typing.get_args(type_)
        if parts[1:] == (Ellipsis,):
            return functools.partial(_row, _converter(parts[0], part))
        return functools.partial(_fixed, tuple(_converter(one, part) for one in parts))
    return _CONVERTERS[type_]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _WrongType


def _whole_number(value: Any) -> int:
    if type(value) is int:
        return value
    raise _WrongType


def _yes_or_no(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise _WrongType


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise _WrongType


def _optional(convert: Convert, value: Any) -> Any:
    return None if value is None else convert(value)


def _part(type_: type[Any], part: Callable[[Mapping[str, Any], type[Any]], Any], value: Any) -> Any:
    if isinstance(value, Mapping):
        return part(value, type_)
    raise _WrongType


def _row(convert: Convert, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _WrongType
    return tuple(map(convert, value))


def _fixed(converts: tuple[Convert, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or len(value) != len(converts):
        raise _WrongType
    return tuple(convert(one) for convert, one in zip(converts, value, strict=True))


_CONVERTERS: Mapping[Any, Convert] = {
    str: _text,
    int: _whole_number,
    float: _number,
    bool: _yes_or_no,
}
