"""Calls and tickets as JSON, as ``ivr … --json`` prints them and other systems rely on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ivr.events.notes import told_now

_INSIDE = {"caller"}
"""Values of events that are stored and never shown."""


class Views:
    """Formats rows of the store.

    Args:
        zone: the city's time zone; times become ISO 8601 with offset, to the millisecond.
        recordings: the folder of the recordings, to which stored paths are relative.
    """

    def __init__(self, zone: ZoneInfo, recordings: Path) -> None:
        self.zone = zone
        self._recordings = recordings

    def moment(self, at: float | None) -> str | None:
        """Return a moment (seconds since the epoch) as ISO 8601."""
        if at is None:
            return None
        return datetime.fromtimestamp(at, self.zone).isoformat(timespec="milliseconds")

    def events(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return events with their number in the stream, oldest first; old ones in today's kinds."""
        return [
            {
                "seq": seq,
                "at": self.moment(row["at"]),
                "kind": kind,
                **{name: value for name, value in data.items() if name not in _INSIDE},
            }
            for seq, row in enumerate(rows, 1)
            for kind, data in (told_now(row["kind"], row["data"]),)
        ]

    def call(
        self, row: Mapping[str, Any], events: Iterable[Mapping[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Return a call; with its events when they are given."""
        view = {
            "call_id": row["call_id"],
            "state": row["state"],
            "caller": row["caller_mask"],
            **{name: row[name] for name in ("dialled_number", "line_id", "queue", "seat", "operator")},
            **{name: self.moment(row[name]) for name in ("started_at", "answered_at", "ended_at")},
            "legs": [
                {
                    "role": leg["role"],
                    "channel": leg["channel"],
                    "joined_at": self.moment(leg["joined_at"]),
                    "left_at": self.moment(leg["left_at"]),
                    **({"target": leg["target"]} if leg.get("target") else {}),
                }
                for leg in row["legs"]
            ],
        }
        if events is not None:
            view["events"] = self.events(events)
        return view

    def refused(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call that was not let in; ``sealed`` is its number, to be opened with the keys or left out.

        ``calls`` is more than 1 where a flood left no row of its own to each.
        """
        told = row["data"]
        return {
            "call_id": told["call_id"] or None,
            "at": self.moment(row["at"]),
            "caller": told["caller"]["mask"],
            "dialled_number": told["dialled"],
            "reason": told["reason"],
            "trunk": told["trunk"],
            "calls": told["calls"],
            "sealed": told["caller"]["enc"],
        }

    def ticket(
        self, row: Mapping[str, Any], events: Iterable[Mapping[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Return a ticket; with its call's events when they are given."""
        plain = (
            "ticket_no", "query_code", "parent_no", "call_id", "channel", "source", "state", "outcome",
            "dialled_number", "line_id", "queue", "seat", "operator", "waited_s", "talk_s", "category", "kind",
            "unit", "satisfaction",
        )  # fmt: skip
        story = list(events or ())
        return {
            **{name: row[name] for name in plain},
            "police_ref": next(
                (told["data"]["police_ref"] for told in story if "police_ref" in told["data"]), None
            ),
            "opened_at": self.moment(row["opened_at"]),
            "caller": row["caller_mask"],
            "clocks": row["clocks"] or [],
            "recordings": [
                {**recording, "path": str(self._recordings / recording["path"])}
                for recording in row["recordings"]
            ],
            "transcript": row["transcript"],
            "events": self.events(story),
        }
