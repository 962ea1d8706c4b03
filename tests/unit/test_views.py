"""Calls and tickets as other systems read them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ivr.api.views import Views
from ivr.calls.record import fold_call
from ivr.tickets.ticket import call_row, call_ticket
from tests.unit.kit import T0, event

CALL = "a1-1.1"
SEALED, HASHED = "c2VjcmV0IG51bWJlcg==", "feedfacefeedface"
VIEWS = Views(ZoneInfo("Asia/Shanghai"), Path("/rec"))
EVENTS = [
    event(CALL, 0, "call_started", source="live", dialled="12315", line_id="market_12315",
          channel="PJSIP/trunk-1", recording="/rec/x",
          caller={"mask": "138****8000", "enc": SEALED, "hash": HASHED}),
    event(CALL, 6, "queued", queue="q_general"),
    event(CALL, 9.25, "answered", seat="01", operator="1001", channel="PJSIP/seat01-2"),
    event(CALL, 60, "operator_left"),
    event(CALL, 61, "hung_up", cause=16),
    event(CALL, 62, "recording_closed", path="2026/11/21/x.wav", sha256="ab" * 32, sides=["caller", "operator"]),
    event(CALL, 70, "transcript_done", text="停水了", turns=[], model="tiny", demonstration=True),
]  # fmt: skip
CALL_FIELDS = {
    "call_id", "state", "caller", "dialled_number", "line_id", "queue", "seat", "operator", "started_at",
    "answered_at", "ended_at", "legs",
}  # fmt: skip
TICKET_FIELDS = {
    "ticket_no", "query_code", "call_id", "channel", "source", "opened_at", "state", "outcome", "caller",
    "dialled_number", "line_id", "queue", "seat", "operator", "waited_s", "talk_s", "category", "kind", "unit",
    "clocks", "satisfaction", "recordings", "transcript", "events",
}  # fmt: skip


def journal_rows() -> list[dict[str, Any]]:
    return [
        {"id": 7 + n, "stream": e.stream, "at": e.at, "kind": e.kind.value, "data": dict(e.data)}
        for n, e in enumerate(EVENTS)
    ]


def ticket_row() -> dict[str, Any]:
    later = {
        "parent_no": None,
        "category": None,
        "kind": None,
        "unit": None,
        "clocks": None,
        "satisfaction": None,
    }
    number = {"ticket_no": "51110020261121000427", "query_code": "21000427"}
    return {**call_ticket(fold_call(CALL, EVENTS)), **later, **number}


def test_a_call_has_every_field_of_the_contract() -> None:
    view = VIEWS.call(call_row(fold_call(CALL, EVENTS)), journal_rows())
    assert view.keys() >= CALL_FIELDS | {"events"}
    assert view["caller"] == "138****8000"
    assert view["state"] == "ended"
    assert [leg["role"] for leg in view["legs"]] == ["caller", "operator"]
    assert [e["seq"] for e in view["events"]] == [1, 2, 3, 4, 5, 6, 7]
    assert view["events"][2] == {
        "seq": 3,
        "at": VIEWS.moment(T0 + 9.25),
        "kind": "answered",
        "seat": "01",
        "operator": "1001",
        "channel": "PJSIP/seat01-2",
    }


def test_a_ticket_has_every_field_of_the_contract() -> None:
    view = VIEWS.ticket(ticket_row(), journal_rows())
    assert view.keys() >= TICKET_FIELDS
    assert view["outcome"] == "answered"
    assert view["clocks"] == []
    assert view["recordings"] == [
        {"path": "/rec/2026/11/21/x.wav", "sha256": "ab" * 32, "sides": ["caller", "operator"]}
    ]
    assert view["transcript"]["demonstration"] is True
    assert VIEWS.ticket(ticket_row())["events"] == []


def test_times_carry_their_offset_and_mean_the_same_moment() -> None:
    shown = VIEWS.moment(T0 + 0.1239)
    assert shown is not None
    assert shown.endswith("+08:00")
    assert shown[10] == "T"
    assert abs(datetime.fromisoformat(shown).timestamp() - (T0 + 0.1239)) < 0.001
    assert VIEWS.moment(None) is None
    view = VIEWS.call(call_row(fold_call(CALL, EVENTS)), journal_rows())
    times = [view["started_at"], view["answered_at"], view["ended_at"], view["legs"][1]["left_at"]]
    assert all(datetime.fromisoformat(time).utcoffset() is not None for time in times)


def test_neither_a_number_nor_its_ciphertext_nor_its_fingerprint_is_ever_shown() -> None:
    call = call_row(fold_call(CALL, EVENTS))
    for view in (
        VIEWS.call(call),
        VIEWS.call(call, journal_rows()),
        VIEWS.ticket(ticket_row(), journal_rows()),
    ):
        text = json.dumps(view, ensure_ascii=False)
        assert SEALED not in text
        assert HASHED not in text
        assert "enc" not in text
        assert "138****8000" in text


def test_a_call_going_on_is_shown_with_what_is_known() -> None:
    record = fold_call(CALL, EVENTS[:2])
    view = VIEWS.call(call_row(record))
    assert (view["state"], view["answered_at"], view["ended_at"]) == ("waiting", None, None)
    assert view["legs"][0]["left_at"] is None
    assert "events" not in view


def test_a_recording_kept_elsewhere_is_shown_where_it_is() -> None:
    row = ticket_row() | {"recordings": [{"path": "/other/x.wav", "sha256": "0", "sides": []}]}
    assert VIEWS.ticket(row)["recordings"][0]["path"] == "/other/x.wav"
