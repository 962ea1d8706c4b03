"""A call we did not hear still gets its ticket, once: the journal is mended from Asterisk's own records."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.alarms.board import Alarms
from ivr.asterisk.facts.record_files import RecordFiles
from ivr.calls.facts import RecordRow
from ivr.calls.open_calls import CallBook
from ivr.calls.reception import Arrival, started
from ivr.calls.record import CallRecord, fold_call
from ivr.calls.states import CallState
from ivr.errors import HotlineError
from ivr.events.event import Event, Kind
from ivr.hotline.book import Trunks
from ivr.queueing.claims import Claims, Secrets
from ivr.reconciliation.reconciler import QUIET_S, Reconciler, arrival_of
from ivr.reconciliation.trace import CallTrace, gather, lost, missing_events
from ivr.recordings.tracks import last_written
from tests.unit.kit import T0, Clock, Journal, calls_of, event, identify, small_book, told

CALL = "a1-1.1"


def rows_of(call_id: str, start: float = 0.0, *, answered: bool = True) -> list[RecordRow]:
    """What Asterisk writes down of one call, in its order."""
    at = T0 + start
    extra = f"12345///live//rec/{call_id}"
    rows = [
        RecordRow(
            call_id, at, "reception", {"caller": "13800138000", "channel": "PJSIP/t-1", "extra": extra}
        ),
        RecordRow(call_id, at + 6, "queued", {}),
    ]
    if answered:
        rows += [
            RecordRow(call_id, at + 9, "answered", {"channel": "PJSIP/seat01-2"}),
            RecordRow(call_id, at + 60, "left", {}),
        ]
    return [
        *rows,
        RecordRow(call_id, at + 61, "ended", {"channel": "PJSIP/t-1"}),
        RecordRow(call_id, at + 61.01, "ended", {}),
    ]


def live_events(call_id: str, start: float = 0.0, *, answered: bool = True) -> list[Event]:
    """What we hear of the same call while it happens."""
    begin = {"source": "live", "dialled": "12345", "caller": identify("13800138000"), "recording": "/rec/x"}
    middle = [
        event(call_id, start + 9.1, "answered", seat="01", operator="1001"),
        event(call_id, start + 60.1, "operator_left"),
    ]
    return [
        event(call_id, start + 0.1, "call_started", **begin),
        event(call_id, start + 0.2, "placed", queue="q_general"),
        event(call_id, start + 6.1, "queued", queue="q_general"),
        *(middle if answered else []),
        event(call_id, start + 61.1, "hung_up"),
    ]


class Rows:
    """Asterisk's records in memory, read a few at a time, with the place that outlives a restart."""

    def __init__(self, rows: Sequence[RecordRow] = ()) -> None:
        self.rows = list(rows)
        self.position = self.place = 0
        self.spool: dict[str, RecordRow] = {}
        self.deleted: list[str] = []
        self.kept: set[str] = set()

    def read(self) -> list[RecordRow]:
        some = self.rows[self.position : self.position + 5]
        self.position += len(some)
        return some

    def keep_from(self, open_calls: set[str]) -> None:
        self.kept = open_calls
        needed = [at for at, row in enumerate(self.rows) if row.call_id in open_calls and at >= self.place]
        self.place = min([self.position, *needed])

    def restart(self) -> None:
        self.position = self.place

    def notes(self) -> list[tuple[str, RecordRow]]:
        return list(self.spool.items())

    def done(self, name: str) -> None:
        self.deleted.append(name)
        self.spool.pop(name, None)


class Hotline:
    """A call book, a journal, Asterisk's records and the reconciler between them."""

    def __init__(self, records: Any = None, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.records: Any = records if records is not None else Rows()
        self.clock = Clock(T0 + 1000)
        self.calls: CallBook = calls_of(self.journal)
        self.asked: list[list[str]] = []
        self.meanwhile: list[Event] = []
        self.away: Exception | None = None
        self.reconciler = Reconciler(
            self.calls, self.records, self._known, self._describe, self._name_seat, self.clock
        )

    async def _known(self, call_ids: Sequence[str]) -> Mapping[str, Sequence[Event]]:
        """Answer like a database: with what was there when it was asked."""
        self.asked.append(list(call_ids))
        if self.away is not None:
            raise self.away
        found = {call_id: self.journal.of(call_id) for call_id in call_ids}
        await asyncio.sleep(0)
        for heard in self.meanwhile:
            self.calls.record(heard)
        self.meanwhile = []
        return found

    def _describe(self, arrival: Arrival) -> dict[str, Any]:
        return started(arrival, small_book(), identify)

    def _name_seat(self, channel: str) -> dict[str, Any]:
        return {"seat": "01", "operator": None} if channel.startswith("PJSIP/seat01-") else {"seat": None}

    def hear(self, *events: Event) -> None:
        for heard in events:
            self.calls.record(heard)

    async def reconcile(self, live: set[str] | None = None) -> int:
        return await self.reconciler.reconcile(live)

    def call(self, call_id: str = CALL) -> CallRecord:
        return fold_call(call_id, self.journal.of(call_id))

    def count(self, kind: Kind, call_id: str = CALL) -> int:
        return self.journal.kinds(call_id).count(kind.value)


def assert_one_start_and_one_end(hotline: Hotline, call_id: str) -> None:
    assert hotline.count(Kind.CALL_STARTED, call_id) == 1, hotline.journal.kinds(call_id)
    assert hotline.count(Kind.HUNG_UP, call_id) == 1, hotline.journal.kinds(call_id)
    assert hotline.call(call_id).state is CallState.ENDED


async def test_a_call_nobody_heard_gets_its_whole_life_from_asterisk_s_records() -> None:
    hotline = Hotline(Rows(rows_of(CALL)))
    assert await hotline.reconcile() == 5
    assert hotline.journal.kinds(CALL) == ["call_started", "queued", "answered", "operator_left", "hung_up"]
    assert all(e.data["reconciled"] for e in hotline.journal.of(CALL))
    call = hotline.call()
    assert (call.source, call.outcome, call.seat) == ("reconciled", "answered", "01")
    assert (call.waited_s, call.talk_s) == (3.0, 51.0)
    assert call.recording == f"/rec/{CALL}"
    assert call.started_at == T0
    assert not hotline.calls.ids()
    assert await hotline.reconcile() == 0


async def test_a_call_that_was_heard_from_end_to_end_costs_no_look_up() -> None:
    hotline = Hotline(Rows(rows_of(CALL)))
    hotline.hear(*live_events(CALL))
    before = len(hotline.journal.events)
    assert await hotline.reconcile(live=set()) == 0
    assert len(hotline.journal.events) == before
    assert hotline.asked in ([], [[]])


async def test_an_answer_lost_while_the_link_was_cut_still_makes_an_answered_call() -> None:
    hotline = Hotline(Rows(rows_of(CALL)))
    start, placed, queued, *_, bye = live_events(CALL)
    hotline.hear(start, placed, queued, bye)
    assert hotline.call().outcome == "abandoned"
    await hotline.reconcile(live=set())
    call = hotline.call()
    assert call.outcome == "answered"
    assert call.seat == "01"
    assert call.waited_s == pytest.approx(2.9)
    assert_one_start_and_one_end(hotline, CALL)
    assert await hotline.reconcile(live=set()) == 0


@dataclass(frozen=True)
class Scene:
    """Which events we heard, how many of Asterisk's rows had been written, and who is on the line."""

    heard: tuple[bool, ...]
    first_cut: int
    answered: bool
    restart: bool


SCENES = st.builds(
    Scene,
    st.tuples(*[st.booleans()] * 6),
    st.integers(0, 6),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=300)
@given(st.lists(SCENES, min_size=1, max_size=4))
def test_each_call_has_exactly_one_beginning_and_one_end_whatever_we_heard(scenes: list[Scene]) -> None:
    async def scenario() -> None:
        hotline = Hotline()
        later: list[RecordRow] = []
        for number, scene in enumerate(scenes):
            call_id = f"a1-{number}.1"
            rows = rows_of(call_id, number, answered=scene.answered)
            events = live_events(call_id, number, answered=scene.answered)
            hotline.records.rows += rows[: scene.first_cut]
            later += rows[scene.first_cut :]
            for heard, it in zip(scene.heard, events, strict=False):
                # the engine passes over a hangup of a call it does not know
                if heard and (it.kind is not Kind.HUNG_UP or call_id in hotline.calls):
                    hotline.hear(it)
        await hotline.reconcile(live=None)
        if any(scene.restart for scene in scenes):
            hotline = after_restart(hotline)
        hotline.records.rows += later
        await hotline.reconcile(live=None)
        hotline.clock.now += 60
        await hotline.reconcile(live=set())
        hotline.clock.now += 60
        for number, scene in enumerate(scenes):
            call_id = f"a1-{number}.1"
            assert_one_start_and_one_end(hotline, call_id)
            assert hotline.call(call_id).outcome == ("answered" if scene.answered else "abandoned")
        assert not hotline.calls.ids()
        assert await hotline.reconcile(live=set()) == 0

    asyncio.run(scenario())


def after_restart(hotline: Hotline) -> Hotline:
    """An engine that begins anew with the same journal; the records are read from the remembered place."""
    hotline.records.restart()
    fresh = Hotline(hotline.records, hotline.journal)
    ids = {e.stream for e in hotline.journal.events}
    records = [fold_call(call_id, hotline.journal.of(call_id)) for call_id in ids]
    fresh.calls.restore([record for record in records if record.state is not CallState.ENDED], [])
    return fresh


async def test_a_call_still_going_on_is_opened_but_not_ended() -> None:
    hotline = Hotline(Rows(rows_of(CALL)[:3]))
    await hotline.reconcile(live={CALL})
    assert hotline.journal.kinds(CALL) == ["call_started", "queued", "answered"]
    assert hotline.calls[CALL].state is CallState.TALKING
    assert hotline.records.kept == {CALL}
    assert await hotline.reconcile(live={CALL}) == 0
    hotline.records.rows += rows_of(CALL)[3:]
    await hotline.reconcile(live=set())
    assert_one_start_and_one_end(hotline, CALL)
    assert hotline.records.kept == set()


async def test_a_call_whose_beginning_was_missed_gets_its_ticket_while_it_goes_on() -> None:
    hotline = Hotline(Rows(rows_of(CALL)[:1]))
    hotline.hear(live_events(CALL)[2])
    await hotline.reconcile(live={CALL})
    assert hotline.call().known
    assert hotline.calls[CALL].state is CallState.WAITING


async def test_a_call_asterisk_forgot_is_closed() -> None:
    hotline = Hotline()
    hotline.hear(*live_events(CALL)[:4])
    assert await hotline.reconcile(live=None) == 0, "nobody could say whether it goes on"
    assert await hotline.reconcile(live={CALL}) == 0
    assert await hotline.reconcile(live=set()) == 1
    call = hotline.call()
    assert (call.state, call.outcome) == (CallState.ENDED, "answered")
    assert call.ended_at == call.answered_at
    assert await hotline.reconcile(live=set()) == 0


async def test_a_waiting_call_lost_in_a_restart_of_asterisk_is_failed_not_abandoned() -> None:
    hotline = Hotline()
    hotline.hear(*live_events(CALL)[:3])
    await hotline.reconcile(live=set())
    assert hotline.call().outcome == "failed"
    assert hotline.journal.of(CALL)[-1].data["cause_text"] == "Asterisk no longer knows the call"


async def test_a_talk_cut_off_by_the_death_of_asterisk_lasted_as_long_as_its_recording(
    tmp_path: Path,
) -> None:
    hotline = Hotline()
    hotline.reconciler.last_sign = last_written
    heard = live_events(CALL)[:4]
    raw = tmp_path / "x.raw"
    raw.write_bytes(b"")
    os.utime(raw, (T0 + 40, T0 + 40))
    first = replace(heard[0], data={**heard[0].data, "recording": str(tmp_path / "x")})
    hotline.hear(first, *heard[1:])
    answered_at = hotline.call().answered_at
    assert answered_at is not None
    await hotline.reconcile(live=set())
    assert hotline.call().outcome == "answered"
    assert hotline.call().talk_s == pytest.approx(T0 + 40 - answered_at)


async def test_a_call_that_has_just_begun_is_not_taken_for_a_lost_one() -> None:
    hotline = Hotline()
    hotline.clock.now = T0 + QUIET_S - 0.5
    hotline.hear(live_events(CALL)[0])
    hotline.hear(event("a1-2.2", 1.0, "queued"))  # its beginning was not heard
    assert await hotline.reconcile(live=set()) == 0
    assert hotline.calls.ids() == {CALL, "a1-2.2"}


async def test_a_call_that_has_just_ended_is_left_to_its_own_hangup() -> None:
    hotline = Hotline(Rows(rows_of(CALL, answered=False)))
    hotline.clock.now = T0 + 61.5
    hotline.hear(*live_events(CALL, answered=False)[:-1])
    assert await hotline.reconcile(live=set()) == 0
    hotline.hear(live_events(CALL, answered=False)[-1])
    assert await hotline.reconcile(live=set()) == 0
    assert hotline.call().outcome == "abandoned"
    assert_one_start_and_one_end(hotline, CALL)


async def test_a_hangup_we_never_hear_is_told_by_the_next_run() -> None:
    hotline = Hotline(Rows(rows_of(CALL, answered=False)))
    hotline.clock.now = T0 + 61.5
    hotline.hear(*live_events(CALL, answered=False)[:-1])
    await hotline.reconcile(live=set())
    hotline.clock.now = T0 + 121.5
    await hotline.reconcile(live=set())
    assert hotline.call().outcome == "abandoned"
    assert_one_start_and_one_end(hotline, CALL)


async def test_a_call_that_comes_and_goes_while_the_database_is_slow_is_told_once() -> None:
    hotline = Hotline(Rows(rows_of(CALL)[:1]))
    hotline.clock.now = T0 + 0.05
    hotline.meanwhile = live_events(CALL)
    await hotline.reconcile(live={CALL})
    hotline.records.rows += rows_of(CALL)[1:]
    hotline.clock.now = T0 + 1000
    await hotline.reconcile(live=set())
    await hotline.reconcile(live=set())
    assert_one_start_and_one_end(hotline, CALL)
    assert hotline.call().source == "live"


async def test_a_hangup_heard_late_while_the_database_is_slow_is_told_once() -> None:
    hotline = Hotline(Rows([*rows_of(CALL), *rows_of("a1-2.2")]))
    hotline.hear(*live_events(CALL)[:-1])
    hotline.meanwhile = [live_events(CALL)[-1]]
    await hotline.reconcile(live=None)
    await hotline.reconcile(live=set())
    assert_one_start_and_one_end(hotline, CALL)
    assert_one_start_and_one_end(hotline, "a1-2.2")


async def test_what_we_missed_of_a_call_that_ends_while_the_database_is_slow_is_still_told() -> None:
    hotline = Hotline(Rows([*rows_of(CALL), *rows_of("a1-2.2")]))
    hotline.hear(*live_events(CALL)[:4])
    hotline.meanwhile = [live_events(CALL)[-1]]  # the operator's leaving is never heard
    await hotline.reconcile(live=None)
    await hotline.reconcile(live=set())
    assert_one_start_and_one_end(hotline, CALL)
    assert hotline.call().left_at == T0 + 60


async def test_a_beginning_we_missed_is_told_though_the_end_is_heard_while_the_database_is_slow() -> None:
    hotline = Hotline(Rows([*rows_of(CALL, answered=False), *rows_of("a1-2.2")]))
    hotline.meanwhile = live_events(CALL, answered=False)[2:]
    await hotline.reconcile(live=None)
    await hotline.reconcile(live=set())
    assert_one_start_and_one_end(hotline, CALL)
    assert hotline.call().known


async def test_with_the_database_away_nothing_is_written_and_the_next_run_does_it() -> None:
    hotline = Hotline(Rows(rows_of(CALL)))
    hotline.records.spool["n.json"] = rows_of("a1-2.2")[0]
    hotline.away = HotlineError("away", retry=True)
    with pytest.raises(HotlineError):
        await hotline.reconcile()
    assert not hotline.journal.events
    assert not hotline.records.deleted
    hotline.away = None
    await hotline.reconcile()
    assert_one_start_and_one_end(hotline, CALL)
    assert hotline.count(Kind.CALL_STARTED, "a1-2.2") == 1


async def test_a_call_received_without_the_engine_gets_its_ticket_from_the_note() -> None:
    hotline = Hotline()
    extra = "12345/12315//live//rec/x"
    hotline.records.spool["n.json"] = RecordRow(
        CALL, T0, "reception", {"caller": "13800138000", "channel": "PJSIP/t-1", "extra": extra}
    )
    assert await hotline.reconcile(live={CALL}) == 1
    call = hotline.call()
    assert (call.source, call.line_id, call.dialled, call.recording) == (
        "reconciled", "market_12315", "12345", "/rec/x",
    )  # fmt: skip
    assert hotline.records.deleted == ["n.json"]
    hotline.records.rows = rows_of(CALL)
    await hotline.reconcile(live=set())
    assert_one_start_and_one_end(hotline, CALL)


async def test_a_message_left_while_the_engine_was_away_is_called_back_once_it_is_there() -> None:
    *begun, ended, gone = rows_of(CALL, answered=False)
    message = RecordRow(CALL, T0 + 30, "voicemail", {"extra": "/rec/m"})
    hotline = Hotline(Rows([*begun, message, ended, gone]))
    book = small_book(trunks=replace(Trunks(), destinations={"callback": ("sip:127.0.0.1:5200",)}))
    secrets = Secrets(identify, lambda _: "13800138000")
    alarms = Alarms(hotline.calls.record, hotline.clock)
    hotline.reconciler.before_hang_up = Claims(
        lambda: book, hotline.calls, secrets, hotline.clock, alarms
    ).message_over
    await hotline.reconcile(live=set())
    kinds = ["call_started", "queued", "voicemail_left", "callback_claimed", "hung_up"]
    assert hotline.journal.kinds(CALL) == kinds
    assert hotline.calls[CALL].state is CallState.CALLBACK
    hotline.clock.now += 60
    assert await hotline.reconcile(live=set()) == 0


async def test_a_note_read_twice_makes_no_second_call() -> None:
    hotline = Hotline(Rows(rows_of(CALL)))
    await hotline.reconcile()
    hotline.records.spool["n.json"] = rows_of(CALL)[0]
    assert await hotline.reconcile(live=set()) == 0
    assert hotline.records.deleted == ["n.json"]


async def test_a_110_diversion_without_the_engine_stays_one() -> None:
    hotline = Hotline()
    hotline.records.spool["n.json"] = RecordRow(
        CALL, T0, "reception", {"extra": "12345//JJ-7/110_diversion//rec/x"}
    )
    await hotline.reconcile(live={CALL})
    assert hotline.call().source == "110_diversion"
    assert hotline.journal.of(CALL)[0].data["police_ref"] == "JJ-7"


async def test_a_seat_that_dials_a_star_code_makes_no_ticket() -> None:
    hotline = Hotline(Rows([RecordRow("a1-5.5", T0, "ended", {}), RecordRow("a1-5.5", T0, "left", {})]))
    assert await hotline.reconcile(live=set()) == 0
    assert not hotline.journal.events
    assert hotline.records.kept == set()


async def test_a_call_that_only_the_detail_record_tells_of_gets_its_ticket(tmp_path: Path) -> None:
    (tmp_path / "cdr-custom").mkdir()
    (tmp_path / "cdr-custom/ivr12345.csv").write_text(
        '"a1-1795296848.3","a1-1795296848.3","1795296848.221090","1795296848.222876","1795296862.906480",'
        '"ivr-reception","NO ANSWER","Queue","PJSIP/seat01-00000003","13800138000"\n'
    )
    hotline = Hotline(RecordFiles(tmp_path, tmp_path / "spool", tmp_path / "place.json"))
    await hotline.reconcile()
    call = hotline.call("a1-1795296848.3")
    assert (call.outcome, call.source) == ("abandoned", "reconciled")
    assert call.caller_mask == "138****8000"
    assert_one_start_and_one_end(hotline, "a1-1795296848.3")


def test_the_moment_of_the_answer_is_taken_from_the_detail_record_where_nobody_heard_it() -> None:
    rows = rows_of(CALL, answered=False)
    rows.insert(1, RecordRow(CALL, T0 + 0.1, "greeted", {}))
    told = missing_events(None, trace_of(rows))
    assert [event.kind for event in told] == ["call_started", "greeted", "queued", "hung_up"]
    assert fold_call(CALL, told).greeted_at == T0 + 0.1
    heard = [*live_events(CALL, answered=False)]
    assert [event.kind for event in missing_events(fold_call(CALL, heard), trace_of(rows))] == ["greeted"]
    heard.insert(1, event(CALL, 0.05, Kind.GREETED, channel="PJSIP/t-1"))
    record = fold_call(CALL, heard)
    assert missing_events(record, trace_of(rows)) == []
    assert record.greeted_at == T0 + 0.05, "once a call"


async def test_an_answer_of_reception_that_was_not_heard_is_told_once_by_the_next_run() -> None:
    rows = rows_of(CALL)
    rows.insert(1, RecordRow(CALL, T0 + 0.1, "greeted", {}))
    hotline = Hotline(Rows(rows))
    hotline.hear(*live_events(CALL))
    assert await hotline.reconcile(live=set()) == 1
    assert hotline.journal.kinds(CALL)[-1] == "greeted"
    assert await hotline.reconcile(live=set()) == 0


async def test_a_restarted_reconciler_goes_on_where_it_was(tmp_path: Path) -> None:
    def line(kind: str, at: float, defined: str = "", extra: str = "") -> str:
        cells = (
            kind,
            f"{at:.6f}",
            CALL,
            CALL,
            "PJSIP/t-1",
            "13800138000",
            "ivr-reception",
            "",
            defined,
            extra,
        )
        return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"

    (tmp_path / "cel-custom").mkdir()
    path, spool, place = tmp_path / "cel-custom/ivr12345.csv", tmp_path / "spool", tmp_path / "place.json"
    spool.mkdir()
    path.write_text(line("IVR", T0, "IVR_RECEPTION", json.dumps({"extra": "12315///live//rec/x"})))
    first = Hotline(RecordFiles(tmp_path, spool, place))
    await first.reconcile(live={CALL})
    assert first.journal.kinds(CALL) == ["call_started"]
    with path.open("a") as file:
        file.write(line("APP_START", T0 + 6) + line("HANGUP", T0 + 9) + line("LINKEDID_END", T0 + 9))
    second = Hotline(RecordFiles(tmp_path, spool, place), first.journal)
    second.calls.restore([first.call()], [])
    await second.reconcile(live=set())
    assert second.journal.kinds(CALL) == ["call_started", "queued", "hung_up"]
    assert second.call().waited_s == 3.0
    third = Hotline(RecordFiles(tmp_path, spool, place), first.journal)
    assert await third.reconcile(live=set()) == 0


# -- the comparison itself ---------------------------------------------------------------------
def trace_of(rows: Sequence[RecordRow]) -> CallTrace:
    traces: dict[str, CallTrace] = {}
    gather(traces, rows)
    (trace,) = traces.values()
    return trace


def test_a_trace_keeps_the_first_moment_of_each_thing_and_the_last_of_the_end() -> None:
    again = [RecordRow(CALL, T0 + 30, "answered", {}), RecordRow(CALL, T0 + 70, "left", {})]
    trace = trace_of([*rows_of(CALL), *again])
    assert trace.answered is not None
    assert trace.answered.at == T0 + 9
    assert trace.left is not None
    assert trace.left.at == T0 + 70
    assert trace.last_at == T0 + 70


@given(st.lists(st.sampled_from(rows_of(CALL)), min_size=1), st.lists(st.sampled_from(live_events(CALL))))
def test_mending_once_leaves_nothing_to_mend(rows: list[RecordRow], heard: list[Event]) -> None:
    record = fold_call(CALL, heard) if heard else None
    # the hotline's own facts are put to a beginning before it is journalled
    mended = [
        Event(e.stream, e.at, e.kind, {"caller": {}}) if e.kind is Kind.CALL_STARTED else e
        for e in missing_events(record, trace_of(rows))
    ]
    whole = fold_call(CALL, [*heard, *mended])
    if mended:
        assert missing_events(whole, trace_of(rows)) == []
    kinds = [e.kind for e in mended]
    assert len(kinds) == len(set(kinds))


def test_a_lost_call_ends_when_it_was_last_heard_of() -> None:
    record = told(CALL, [(0.0, "call_started", {"caller": {}}), (6.0, "queued", {})])
    assert lost(record, 0.0).at == T0 + 6
    assert lost(record, T0 + 8).at == T0 + 8


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("12345///live//rec/2026/x", ("12345", "reconciled", (), "/rec/2026/x")),
        ("12345/12315/12333/live//rec/x", ("12345", "reconciled", ("12315",), "/rec/x")),
        ("12345///110_diversion//rec/x", ("12345", "110_diversion", (), "/rec/x")),
        ("", ("", "reconciled", (), "")),
        ("12345", ("12345", "reconciled", (), "")),
    ],
)
def test_the_reception_row_tells_what_the_dialplan_knew(extra: str, expected: tuple[Any, ...]) -> None:
    arrival = arrival_of(CALL, {"extra": extra, "caller": "1", "channel": "c"})
    assert (arrival.dialled, arrival.source, arrival.diverted, arrival.recording) == expected


def star_trace(*, answered: bool) -> CallTrace:
    """What Asterisk writes down of a caller who pressed * in the greeting."""
    rows = rows_of(CALL, answered=False)
    rows[1] = RecordRow(CALL, T0 + 2, "help", {"extra": f"110/rec/{CALL}-help"})
    if answered:
        rows.insert(2, RecordRow(CALL, T0 + 5, "helped", {"channel": "PJSIP/ivr-out-7"}))
    traces: dict[str, CallTrace] = {}
    gather(traces, rows)
    return traces[CALL]


def test_a_caller_whom_the_dialplan_alone_led_to_help_is_told_as_handed_off_with_the_recording() -> None:
    trace = star_trace(answered=True)
    begun = event(CALL, 0.1, "call_started", recording=f"/rec/{CALL}")
    call = fold_call(CALL, [begun, *missing_events(fold_call(CALL, [begun]), trace)])
    assert (call.outcome, call.talk_s) == ("handed_off", 56.01)
    assert [(track.path, track.sides) for track in call.tracks] == [
        (f"/rec/{CALL}-help", ("caller", "third"))
    ]
    assert [leg.target for leg in call.legs if leg.role == "third"] == ["110"]
    assert missing_events(call, trace) == []


def test_help_that_was_called_in_vain_is_recorded_and_the_call_is_no_hand_off() -> None:
    begun = event(CALL, 0.1, "call_started", recording=f"/rec/{CALL}")
    trace = star_trace(answered=False)
    call = fold_call(CALL, [begun, *missing_events(fold_call(CALL, [begun]), trace)])
    assert (call.outcome, call.talk_s, len(call.tracks)) == ("abandoned", None, 1)


def test_an_engine_that_died_while_help_rang_learns_that_it_answered() -> None:
    heard = told(
        CALL,
        [
            (0.1, "call_started", {"recording": f"/rec/{CALL}"}),
            (2.1, "track_begun", {"path": f"/rec/{CALL}-help", "sides": ["caller", "third"]}),
        ],
    )
    kinds = [told.kind for told in missing_events(heard, star_trace(answered=True))]
    assert kinds == [Kind.THIRD_ANSWERED, Kind.HANDED_OFF, Kind.HUNG_UP]
