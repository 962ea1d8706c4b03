"""Draw the catalogue of events, ``docs/events.md``, from ``ivr/events/payloads``.

Run it after adding a kind or a field: ``python -m tools.event_catalogue``.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ivr.events.event import ENGINE
from ivr.events.kinds import Kind
from ivr.events.notes import PHRASES
from ivr.events.payloads.catalogue import OF_STREAM, PAYLOADS
from ivr.events.payloads.payload import Payload
from ivr.events.payloads.reading import fields_of
from ivr.events.payloads.since import FIRST, since
from ivr.events.streams import StreamType

PAGE = Path(__file__).resolve().parents[1] / "docs/events.md"

_STREAMS: Mapping[StreamType, str] = {
    StreamType.CALL: "the call's id, `1795296848.3`",
    StreamType.SEAT: "`seat:01`",
    StreamType.HOTLINE: "`hotline`",
    StreamType.REFUSED: "`refused:2026-11-27`, a local day",
    StreamType.TICKET: "`ticket:<id>`, the id of the call that opened it",
}
_HEAD = f"""# The catalogue of events

Everything that the journal and `ivr calls show`, `ivr tickets show` and `--json` tell of. Drawn from
`ivr/events/payloads` by `python -m tools.event_catalogue`; do not edit.

A line of the journal is `{{"stream", "at", "kind", "data"}}`: whose life it belongs to, when (seconds since the epoch, UTC),
what happened, and the fields below. `actor` is there where a person did it: `caller`, `third` (whoever was brought in),
`operator:1001`, `administrator` (the command line); without it, it is `{ENGINE}`: a deadline, a rule, a fact of Asterisk's.
`node` is there where it is not the first machine, `version` where the form of the data is not the first.

A field with a value in the column *else* may be missing, and then counts as that; one without is always there. Every
kind may have `reconciled` (true or false): Asterisk's own records told it, nobody heard it live. Fields that are not here
are of a newer version and are passed over; kinds that are not here are kept and change nothing.
"""
_TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    shared: dict[str, type[Any]] = {}
    for stream, tables in OF_STREAM.items():
        for about, table in tables.items():
            parts.append(f"## Of {about}\n\nStream: {_STREAMS[stream]}.\n")
            for kind, payload in table.items():
                parts.append("\n".join(_section(kind, payload)))
                shared |= {part.__name__: part for part in _parts_of(payload)}
    parts += ["## Values that have fields of their own\n"]
    parts += ["\n".join(_of_part(name, part)) for name, part in sorted(shared.items())]
    parts.append("\n".join(_noted()))
    return "\n".join(parts).rstrip("\n") + "\n"


def _section(kind: Kind, payload: type[Payload]) -> Iterator[str]:
    version = since(kind)
    yield f"### {kind}\n"
    yield when(payload) + (f" (Since version {version}.)" if version != FIRST else "") + "\n"
    rows = list(_rows(payload))
    if rows:
        yield from ("| field | type | else | meaning |", "|---|---|---|---|", *rows, "")


def _of_part(name: str, part: type[Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield from (when(part) + "\n", "| field | type | else | meaning |", "|---|---|---|---|", *_rows(part), "")


def when(payload: type[Any]) -> str:
    """Return when a kind is told, as its payload says it."""
    return (inspect.getdoc(payload) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def meanings(payload: type[Any]) -> dict[str, str]:
    """Return what each field means, as the payload and those it is made from say it."""
    found: dict[str, str] = {}
    for one in reversed(payload.__mro__):
        _, _, told = inspect.cleandoc(one.__dict__.get("__doc__") or "").partition("Attributes:\n")
        for name, text in re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", told, re.MULTILINE):
            found[name] = re.sub(r"\s+", " ", text).replace("``", "`")
    return found


def _rows(payload: type[Any]) -> Iterator[str]:
    told, hints = meanings(payload), typing.get_type_hints(payload)
    for field in fields_of(payload):
        if field.name != "reconciled":
            empty = "" if field.needed else _value(field.empty)
            yield f"| `{field.key}` | {_type(hints[field.name])} | {empty} | {told[field.name]} |"


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if value == ():
        return "none"
    return "empty" if value == "" or is_dataclass(value) else f"{value}"


def _type(type_: Any) -> str:
    if isinstance(type_, types.UnionType):
        return " or ".join("null" if one is types.NoneType else _type(one) for one in typing.get_args(type_))
    if typing.get_origin(type_) is tuple:
        parts = typing.get_args(type_)
        if parts[1:] == (Ellipsis,):
            return f"list of {_type(parts[0])}"
        return f"[{', '.join(map(_type, parts))}]"
    return _TYPES.get(type_) or f"[{type_.__name__}](#{type_.__name__.lower()})"


def _parts_of(payload: type[Any]) -> Iterator[type[Any]]:
    hints = typing.get_type_hints(payload)
    for field in fields(payload):
        for one in (hints[field.name], *typing.get_args(hints[field.name])):
            if is_dataclass(one) and isinstance(one, type):
                yield one


def _noted() -> Iterator[str]:
    yield "## Of before\n"
    yield (
        "Versions before 0.2 wrote some of these as `noted` with a phrase in `what`. They are read, and shown, as the\n"
        "kind on the right; a phrase that is not here stays `noted`.\n"
    )
    yield from ("| `what` | kind |", "|---|---|")
    yield from (f"| {phrase} | `{kind}` |" for phrase, (kind, _) in PHRASES.items())


def main() -> None:
    """Rewrite the page."""
    missing = [kind for kind in PAYLOADS if kind is not Kind.NOTED and not when(PAYLOADS[kind])]
    if missing:
        raise SystemExit(f"these kinds do not say when they are told: {', '.join(missing)}")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
