"""What happened to a call, a seat or the hotline, as one line of the journal.

An event never changes once written.  Its ``stream`` says whose life it belongs to (:mod:`ivr.events.streams`); ``at``
is in seconds since the epoch (UTC).  An event of a kind that a newer version wrote is kept as it is and folded nowhere.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ivr.events.kinds import KINDS, Kind, kind_of
from ivr.events.notes import told_now

__all__ = ["ENGINE", "FIRST_NODE", "VERSION", "Event", "Kind", "Passing", "PassingKind", "kind_of"]


ENGINE = "engine"
"""The actor of what nobody did: a deadline, a rule, a fact that Asterisk told."""
FIRST_NODE = "1"
"""The node of a hotline on one machine."""
VERSION = 1
"""The newest version of events that we write and understand."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        stream: whose life it belongs to.
        at: seconds since the epoch.
        kind: one of :class:`Kind`, or one that a newer version wrote.
        data: plain JSON values; which, says :mod:`ivr.events.payloads`.
        actor: who did it: ``engine``, ``caller``, ``operator:1001``, ``administrator`` …
        node: the machine of the hotline that it happened on.
        version: of the form of ``data``.
    """

    stream: str
    at: float
    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)
    actor: str = ENGINE
    node: str = FIRST_NODE
    version: int = VERSION

    @property
    def newer(self) -> bool:
        """Whether a newer version wrote it, so that we must not guess what it means."""
        return self.version > VERSION or self.kind not in KINDS

    def to_line(self) -> bytes:
        """Return the event as one line of JSON; what is as ever (actor, node, version) is left out."""
        line: dict[str, Any] = {
            "stream": self.stream,
            "at": self.at,
            "kind": self.kind.value,
            "data": dict(self.data),
        }
        if self.actor != ENGINE:
            line["actor"] = self.actor
        if self.node != FIRST_NODE:
            line["node"] = self.node
        if self.version != 1:
            line["version"] = self.version
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def to_row(self) -> dict[str, Any]:
        """Return the event as plain values."""
        return {
            "stream": self.stream,
            "at": self.at,
            "kind": self.kind.value,
            "data": dict(self.data),
            "actor": self.actor,
            "node": self.node,
            "version": self.version,
        }

    @classmethod
    def from_line(cls, line: bytes) -> Event:
        """Undo :meth:`to_line`; lines of before actor, node and version were written are read as well.

        Raises:
            ValueError: the line is not an event.
        """
        try:
            return cls.from_row(orjson.loads(line))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not an event: {line[:200]!r}") from error

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Event:
        """Undo :meth:`to_row`; what was ``noted`` before is told in today's kinds."""
        kind, data = told_now(str(row["kind"]), row["data"])
        return cls(
            str(row["stream"]),
            float(row["at"]),
            kind_of(kind),
            data,
            str(row.get("actor") or ENGINE),
            str(row.get("node") or FIRST_NODE),
            int(row.get("version") or 1),
        )


class PassingKind(enum.StrEnum):
    """What is told while it lasts, and never journalled."""

    WORDS = "words"
    """Words of a call while they are spoken."""
    PRESENCE = "presence"
    """Whether a seat's phone is there."""
    PLACES = "places"
    """Who waits, at which place of which queue."""


@dataclass(frozen=True, slots=True)
class Passing:
    """Something that is so for this moment, and would be of no use in the journal.

    Attributes:
        stream: whose life it belongs to.
        at: seconds since the epoch.
        kind: one of :class:`PassingKind`.
        data: plain JSON values.
    """

    stream: str
    at: float
    kind: PassingKind
    data: Mapping[str, Any] = field(default_factory=dict)
