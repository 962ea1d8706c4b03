"""What a caller and a seat experience when Asterisk asks the engine."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from ivr.asterisk.agi.server import AgiSession
from ivr.asterisk.agi.session import AgiCommandError, AgiHangup
from ivr.calls.open_calls import CallBook
from ivr.calls.reception import Placement, Reception, Said
from ivr.calls.states import SeatState
from ivr.errors import HotlineError
from ivr.hotline.book import HotlineBook
from ivr.hotline.modes import ReceptionSpec, ReceptionStyle
from ivr.phone.guard import guarded
from ivr.phone.reception import AgiCaller, arrival_of, menu_route, reception_route
from ivr.phone.seat import LOCK_OUT_AFTER, LOCK_OUT_S, PIN_TRIES, SeatRoute
from ivr.seats.log_in import Seating
from ivr.supervision.leadership import NotTheLeader
from tests.unit.kit import Clock, Journal, calls_of, identify, small_book
from tests.unit.test_menu import Meant

CALL = "a1-1795296848.3"


class Session:
    """A channel that answers what the script says; ``keyed`` are the digits a person presses."""

    def __init__(self, *args: str, caller: str = "13800138000", keyed: tuple[str, ...] = ()) -> None:
        self.args = list(args)
        self.caller = caller
        self.channel = "PJSIP/trunk-1"
        self.uniqueid = CALL
        self.script = "seat"
        self.query: dict[str, str] = {}
        self.keyed = list(keyed)
        self.variables: dict[str, str] = {}
        self.played: list[str] = []
        self.recorded: list[str] = []
        self.broken: set[str] = set()

    async def set_variables(self, variables: Mapping[str, str]) -> None:
        self.variables |= variables

    async def stream_file(self, path: str, escape_digits: str = "") -> str:
        self.played.append(path)
        if path in self.broken:
            raise AgiCommandError(200, f"cannot play {path}")
        return self.keyed.pop(0) if escape_digits and self.keyed else ""

    async def wait_for_digit(self, timeout_s: float) -> str:
        return self.keyed.pop(0) if self.keyed else ""

    async def record_file(self, path: str, *, limit_s: float, silence_s: int) -> str:
        self.recorded.append(path)
        if path in self.broken:
            raise AgiCommandError(200, f"cannot record {path}")
        return self.keyed.pop(0) if self.keyed else ""

    async def get_data(self, path: str, timeout_s: float, max_digits: int) -> tuple[str, bool]:
        self.played.append(path)
        if not self.keyed:
            raise AgiHangup("hung up")
        return self.keyed.pop(0), False


def reception_of(journal: Journal, **changes: Any) -> Reception:
    return Reception(lambda: small_book(**changes), calls_of(journal).record, identify, Clock())


def agi(session: Session) -> AgiSession:
    return cast(AgiSession, session)


async def test_the_placement_travels_in_one_variable() -> None:
    session = Session()
    await AgiCaller(agi(session), lambda name: f"/p/{name}").place(
        Placement("q_general", 5, (Said("P001"), Said("P005")))
    )
    assert session.variables == {"IVR_PLACEMENT": "q_general^5^/p/P001&/p/P005^"}
    await AgiCaller(agi(session), lambda name: name).place(Placement("q_general", 30, ()))
    assert session.variables == {"IVR_PLACEMENT": "q_general^30^^"}


async def test_a_caller_who_was_forwarded_is_known_by_the_line_they_dialled() -> None:
    journal = Journal()
    route = reception_route(reception_of(journal), lambda prompt, **slots: f"{prompt}:{slots['line_name']}")
    headers = "%3Csip%3A12315%40ims.example%3E%3Breason%3Dunconditional,%3Csip%3A99999%40ims.example%3E,,"
    session = Session(CALL, f"12345/{headers}//live//rec/x")
    await cast(Awaitable[None], route(agi(session)))
    started, chosen, placed = journal.of(CALL)
    assert chosen.data == {"line_id": "market_12315", "by": "diverted"}
    assert started.data["line_id"] == "market_12315"
    assert started.data["diverted"] == ["12315", "138****8000"]
    assert started.data["recording"] == "/rec/x"
    assert placed.data == {"queue": "q_general", "priority": 0}
    assert session.variables == {"IVR_PLACEMENT": "q_general^0^P005:market_12315^market_12315"}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("id", "12345/%2C%2C%2C//live//r/1"), ("id", "12345", "live", (), "/r/1")),
        (("id", "12345///110_diversion//r"), ("id", "12345", "110_diversion", (), "/r")),
        ((CALL, "12345"), (CALL, "12345", "live", (), "")),
        ((CALL, ""), (CALL, "", "live", (), "")),
        ((CALL,), (CALL, "", "live", (), "")),
        (("id", f"{'1' * 99}///a_source_of_its_own"), ("id", "1" * 40, "live", (), "")),
        (("id", "12345/%E5%BC%A0%FF//live//r", "more"), ("id", "12345", "live", ("张\ufffd",), "/r")),
    ],
)
def test_whatever_asterisk_hands_over_becomes_an_arrival(
    args: tuple[str, ...], expected: tuple[Any, ...]
) -> None:
    arrival = arrival_of(agi(Session(*args)))
    assert (arrival.call_id, arrival.dialled, arrival.source, arrival.diverted, arrival.recording) == expected


def test_only_110_gives_a_reference() -> None:
    assert arrival_of(agi(Session("id", "12345//JJ-7/110_diversion//r"))).reference == "JJ-7"
    assert arrival_of(agi(Session("id", "12345//JJ-7/live//r"))).reference == ""


def test_a_withheld_number_is_no_number() -> None:
    assert arrival_of(agi(Session(CALL, caller="unknown"))).caller == ""
    assert arrival_of(agi(Session(CALL, caller="13800138000"))).caller == "13800138000"


@pytest.mark.parametrize("call_id", ["", "seat:01", "a b", "a/../b", "a\nb", "电话", "x" * 65])
async def test_a_call_id_that_asterisk_never_makes_opens_no_ticket(call_id: str) -> None:
    journal = Journal()
    route = reception_route(reception_of(journal), str)
    session = Session(call_id, "12345///live//rec/x")
    with pytest.raises(ValueError, match="is not the id of a call"):
        await cast(Awaitable[None], route(agi(session)))
    assert not journal.events
    assert not session.variables


class Heard:
    """Ears that understand one sentence."""

    def __init__(self, said: str = "", ready: bool = True) -> None:
        self.said = said
        self.ready = ready
        self.forgotten: list[Path] = []

    def path(self, call_id: str) -> Path:
        return Path(f"/said/{call_id}")

    def forget(self, path: Path) -> None:
        self.forgotten.append(path)

    async def words(self, path: Path) -> str:
        self.forget(path)
        return self.said


class Water:
    """A matcher that knows one line."""

    def match(self, text: str) -> Meant:
        return Meant("line", "water", "0000-2101") if text == "停水了" else Meant("none")


ASKED = ReceptionSpec(style=ReceptionStyle.MENU, keys={"1": "market_12315"}, speech=True)


async def asked(session: Session, journal: Journal, ears: Heard, sound: Any = None) -> dict[str, Any]:
    """Ask a caller; return what was chosen."""
    route = menu_route(
        reception_of(journal, reception=ASKED), sound or (lambda name, **_: name), ears, lambda _: Water()
    )
    await cast(Awaitable[None], route(agi(session)))
    chosen, _placed = journal.of(CALL)
    return dict(chosen.data)


async def test_names_are_looked_through_once_for_each_configuration() -> None:
    books = [small_book(reception=ASKED), small_book(reception=ASKED)]
    built: list[HotlineBook] = []

    def build(book: HotlineBook) -> Water:
        built.append(book)
        return Water()

    present: list[HotlineBook] = []
    reception = Reception(lambda: present[-1], calls_of(Journal()).record, identify, Clock())
    route = menu_route(reception, lambda name, **_: name, Heard(), build)
    for book in (books[0], books[0], books[1], books[1]):
        present.append(book)
        await cast(Awaitable[None], route(agi(Session(CALL, "12345"))))
    assert [id(book) for book in built] == [id(book) for book in books]


async def test_a_caller_of_the_menu_is_answered_first_and_asked_then() -> None:
    session = Session(CALL, "12345///live//rec/x")
    route = reception_route(reception_of(Journal(), reception=ASKED), str)
    await cast(Awaitable[None], route(agi(session)))
    assert session.variables == {"IVR_MENU": "1"}


async def test_who_presses_a_key_is_placed_in_the_line_s_name() -> None:
    session = Session(CALL, "12345///live//rec/x", keyed=("", "1"))
    assert await asked(session, Journal(), Heard()) == {
        "line_id": "market_12315",
        "by": "keys",
        "keyed": "1",
    }
    assert session.variables == {"IVR_PLACEMENT": "q_general^0^S032^market_12315"}
    assert session.played == ["P002", "P003"]


async def test_what_a_caller_says_finds_the_line_and_is_not_kept() -> None:
    session, ears = Session(CALL, "12345"), Heard("停水了")
    chosen = await asked(session, Journal(), ears)
    assert (chosen["line_id"], chosen["by"], chosen["heard"]) == ("water", "speech", "停水了")
    assert session.played == ["P002", "P003", "S031", "beep"]
    assert session.recorded == [f"/said/{CALL}"]
    assert ears.forgotten == [Path(f"/said/{CALL}")]


async def test_words_cut_short_by_a_key_are_not_kept() -> None:
    session, ears = Session(CALL, "12345", keyed=("", "", "", "", "0")), Heard("停水了")
    assert (await asked(session, Journal(), ears))["keyed"] == "0"
    assert ears.forgotten == [Path(f"/said/{CALL}")]


async def test_where_asterisk_cannot_record_a_person_answers() -> None:
    session = Session(CALL, "12345")
    session.broken = {f"/said/{CALL}"}
    assert await asked(session, Journal(), Heard("停水了")) == {"line_id": None, "by": "nothing"}
    assert session.variables == {"IVR_PLACEMENT": "q_general^0^P004^"}


async def test_a_broken_speech_model_means_nobody_is_asked_to_speak() -> None:
    session = Session(CALL, "12345")
    assert (await asked(session, Journal(), Heard(ready=False)))["by"] == "nothing"
    assert session.played == ["P002", "P003"]


async def test_a_prompt_that_cannot_be_played_costs_a_sentence_and_not_a_caller() -> None:
    def sound(name: str, **_: str) -> str:
        if name in ("P002", "S032"):
            raise HotlineError(f"no recording of {name}")
        return name

    session = Session(CALL, "12345", keyed=("1",))
    session.broken = {"P003"}
    assert (await asked(session, Journal(), Heard(ready=False), sound))["line_id"] == "market_12315"
    assert session.variables == {"IVR_PLACEMENT": "q_general^0^^market_12315"}


async def test_the_star_key_in_the_menu_calls_help_and_a_spoken_emergency_leads_to_a_person() -> None:
    session = Session(CALL, "12345", keyed=("*",))
    await asked(session, Journal(), Heard(ready=False))
    assert session.variables == {"IVR_STAR": "1", "IVR_PLACEMENT": "q_general^20^^"}
    session = Session(CALL, "12345", keyed=("1", "1", "9"))
    await asked(session, Journal(), Heard(ready=False))
    assert "IVR_STAR" not in session.variables


async def test_who_hangs_up_in_the_menu_is_placed_nowhere() -> None:
    class Gone(Session):
        async def stream_file(self, path: str, escape_digits: str = "") -> str:
            raise AgiHangup("hung up")

    journal = Journal()
    route = menu_route(reception_of(journal, reception=ASKED), str, Heard(), lambda _: None)
    with pytest.raises(AgiHangup):
        await cast(Awaitable[None], route(agi(Gone(CALL, "12345"))))
    assert not journal.events


async def test_an_announcement_comes_with_the_music_and_not_before_the_queue() -> None:
    session = Session(CALL)
    placement = Placement("q_general", 0, (Said("P001"),), "P041")
    await AgiCaller(agi(session), lambda name, **_: name).place(placement)
    assert session.variables == {
        "CHANNEL(musicclass)": "ivr12345-P041",
        "IVR_PLACEMENT": "q_general^0^P001^",
    }


class Seats:
    """Star codes on a small hotline."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.calls: CallBook = calls_of(self.journal)
        self.failure: Exception | None = None
        self.clock = Clock()
        self.seating = Seating(small_book, self.calls, self._align, self.clock)
        self.seating.known = True
        self.route = SeatRoute(
            book=small_book,
            calls=self.calls,
            seating=self.seating,
            pins={"1001": "123456", "1002": "", "1003": "654321"},
            sound=lambda name: name,
            clock=self.clock,
            set_mode=self._set_mode,
        )
        self.modes: list[tuple[str, str]] = []

    def _set_mode(self, mode: str, by: str) -> None:
        if by != "1001":
            raise NotTheLeader("no", "不")
        self.modes.append((mode, by))

    async def _align(self, _: object) -> None:
        if self.failure is not None:
            raise self.failure

    async def dial(
        self, verb: str, value: str = "", seat: str = "seat01", keyed: tuple[str, ...] = ()
    ) -> Session:
        session = Session(verb, value, seat, keyed=keyed)
        await self.route(agi(session))
        return session


async def test_an_operator_logs_in_pauses_resumes_and_logs_out_by_star_codes() -> None:
    seats = Seats()
    assert (await seats.dial("login", "1001", keyed=("123456",))).played == ["S001", "S002"]
    assert seats.calls.operator_on("01") == "1001"
    assert (await seats.dial("pause", "2")).played == ["S006"]
    assert seats.calls.seat("01").reason == "meal"
    assert (await seats.dial("resume")).played == ["S007"]
    session = await seats.dial("logout")
    assert session.played == ["S005"]
    assert session.variables == {"IVR_DONE": "1"}
    assert seats.calls.seat("01").state is SeatState.LOGGED_OUT


async def test_a_mistyped_pin_may_be_tried_again_and_then_the_door_stays_shut() -> None:
    seats = Seats()
    session = await seats.dial("login", "1001", keyed=("000000", "", "123456"))
    assert session.played == ["S001", "S003", "S003", "S002"]
    seats = Seats()
    session = await seats.dial("login", "1001", keyed=("0",) * (PIN_TRIES + 2))
    assert len(session.keyed) == 2
    assert session.variables == {}
    assert seats.calls.operator_on("01") is None
    (noted,) = seats.journal.of("seat:01")
    assert (noted.kind, noted.data) == ("pin_refused", {"operator": "1001"})
    assert noted.actor == "engine", "who it was is not known"
    assert b"0000" not in noted.to_line().replace(b'"operator":"1001"', b"")


@pytest.mark.parametrize(
    ("digit", "mode", "prompt"),
    [("1", "regular", "S011"), ("2", "holiday", "S012"), ("3", "emergency", "S013")],
)
async def test_the_shift_leader_sets_the_mode_by_star_code_and_hears_which(
    digit: str, mode: str, prompt: str
) -> None:
    seats = Seats()
    await seats.seating.log_in("01", "1001", by="x")
    assert (await seats.dial("mode", digit, keyed=("123456",))).played == ["S001", prompt]
    assert seats.modes == [(mode, "1001")]


async def test_somebody_else_is_told_that_only_the_shift_leader_may() -> None:
    seats = Seats()
    await seats.seating.log_in("02", "1003", by="x")
    assert (await seats.dial("mode", "3", "seat02", keyed=("654321",))).played == ["S001", "S014"]
    assert seats.modes == []


@pytest.mark.parametrize(("seat", "digit"), [("seat01", "4"), ("seat01", ""), ("seat03", "3")])
async def test_a_mode_that_does_not_exist_or_a_seat_without_anybody_changes_nothing(
    seat: str, digit: str
) -> None:
    seats = Seats()
    await seats.seating.log_in("01", "1001", by="x")
    session = await seats.dial("mode", digit, seat, keyed=("123456",))
    assert (session.played, session.variables, seats.modes) == ([], {}, [])


async def test_the_mode_stays_when_the_leaders_pin_is_wrong() -> None:
    seats = Seats()
    await seats.seating.log_in("01", "1001", by="x")
    session = await seats.dial("mode", "3", keyed=("000000",) * PIN_TRIES)
    assert (session.variables, seats.modes) == ({}, [])


@pytest.mark.parametrize("operator", ["1002", "1004", "9999", ""])
async def test_nobody_logs_in_as_a_person_without_a_pin(operator: str) -> None:
    seats = Seats()
    session = await seats.dial("login", operator, keyed=("",) * 9)
    assert session.variables == {}
    assert seats.calls.operator_on("01") is None


@pytest.mark.parametrize(
    ("verb", "value", "seat"),
    [("pause", "7", "seat01"), ("resume", "", "seat01"), ("logout", "", "seat02"), ("dance", "", "seat01"),
     ("logout", "", "trunk"), ("logout", "", ""), ("logout", "", "seat99")],
)  # fmt: skip
async def test_what_a_seat_may_not_do_changes_nothing_and_is_not_confirmed(
    verb: str, value: str, seat: str
) -> None:
    seats = Seats()
    await seats.seating.log_in("01", "1001", by="x")
    before = list(seats.journal.events)
    session = await seats.dial(verb, value, seat)
    assert session.variables == {}
    assert session.played == []
    assert seats.journal.events == before


async def test_a_phone_hung_up_while_the_pin_is_asked_for_logs_nobody_in() -> None:
    seats = Seats()
    await seats.dial("login", "1001")
    assert seats.calls.operator_on("01") is None
    assert not seats.journal.events


WRONG = ("000000",) * PIN_TRIES


async def test_a_pin_cannot_be_guessed_by_trying() -> None:
    seats = Seats()
    for _ in range(LOCK_OUT_AFTER // PIN_TRIES):
        assert (await seats.dial("login", "1001", keyed=WRONG)).played == ["S001", "S003", "S003"]
    for seat in ("seat01", "seat02"):  # neither there nor on another seat, not even with the right PIN
        session = await seats.dial("login", "1001", seat, keyed=("123456",))
        assert session.played == []
        assert session.variables == {}
    assert seats.calls.seat_of("1001") is None
    seats.clock.now += LOCK_OUT_S + 1
    assert (await seats.dial("login", "1001", keyed=("123456",))).played == ["S001", "S002"]


async def test_a_seat_that_guesses_at_one_operator_after_the_other_is_shut_too() -> None:
    seats = Seats()
    for operator in ("1002", "1003", "9999"):
        await seats.dial("login", operator, keyed=WRONG)
    assert (await seats.dial("login", "1001", keyed=("123456",))).variables == {}
    assert (await seats.dial("login", "1001", "seat02", keyed=("123456",))).variables == {"IVR_DONE": "1"}


async def test_hanging_up_after_a_wrong_pin_does_not_give_another_try_for_nothing() -> None:
    seats = Seats()
    for _ in range(LOCK_OUT_AFTER):
        await seats.dial("login", "1001", keyed=WRONG[:-1])
    assert (await seats.dial("login", "1001", keyed=("123456",))).variables == {}


async def test_star_codes_are_not_confirmed_while_it_is_unknown_who_sits_where() -> None:
    seats = Seats()
    seats.seating.known = False
    for verb, value in (("login", "1001"), ("pause", "2"), ("resume", ""), ("logout", "")):
        assert (await seats.dial(verb, value, keyed=("123456",))).variables == {}
    assert not seats.journal.events


@pytest.mark.parametrize("query", [{}, {"key": ""}, {"key": "guess"}, {"key": "钥匙"}, {"KEY": "secret"}])
async def test_another_local_program_cannot_log_a_seat_out(
    query: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    seats = Seats()
    await seats.seating.log_in("01", "1001", by="x")
    session = Session("logout", "", "seat01")
    session.query = query
    with caplog.at_level(logging.WARNING):
        await cast(Awaitable[None], guarded(seats.route, "secret")(agi(session)))
    assert seats.calls.operator_on("01") == "1001"
    assert session.variables == {}
    assert "security: an AGI request for seat without our key" in caplog.text
    assert "secret" not in caplog.text


async def test_asterisk_with_its_key_is_served_by_every_kind_of_route() -> None:
    seats = Seats()
    await seats.seating.log_in("01", "1001", by="x")
    session = Session("logout", "", "seat01")
    session.query = {"key": "secret"}
    await cast(Awaitable[None], guarded(seats.route, "secret")(agi(session)))
    assert session.variables == {"IVR_DONE": "1"}
    seen: list[AgiSession] = []
    await cast(Awaitable[None], guarded(seen.append, "secret")(agi(session)))
    assert len(seen) == 1
