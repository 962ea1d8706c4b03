"""Who can be brought in, and who cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.calls.record import CallRecord
from ivr.cli.moved_codes import tell_moved_codes
from ivr.hotline.book import HotlineBook, Line, MergeMode, Operator, QueueSpec, Trunks
from ivr.hotline.destinations import Own, usable
from ivr.hotline.units import Unit
from ivr.transfers.targets import By, Targets, TransferRefused, codes_of, moved_codes
from tests.unit.kit import small_book

TAX = Line("tax_12366", "12366", "税务服务热线", "税务局", MergeMode.SUBCENTER)
DESTINATIONS = {
    "119": ("sip:119@127.0.0.1:5119", "sip:119@127.0.0.2:5119"),
    "subcenter:tax_12366": ("sip:12366@127.0.0.1:5200",),
    "unit:water": ("sip:1@127.0.0.1:5301", "sip:2@127.0.0.1:5302", "sip:3@127.0.0.1:5303"),
    "120": ("sip:120@192.0.2.1",),
}


def targets(lab: bool = True, manned: bool = True, leader: str | None = None) -> Targets:
    book = small_book(
        trunks=Trunks(lab=lab, destinations=DESTINATIONS), units=(Unit("water", "水务集团", 2),)
    )
    book = replace(book, lines=(*book.lines, TAX))
    return Targets(book, lambda _: manned, lambda: leader)


def test_an_emergency_number_has_its_routes_in_the_order_they_are_written() -> None:
    target = targets().resolve("119", CallRecord("c1"))
    assert target.emergency
    assert [route.address for route in target.routes] == list(DESTINATIONS["119"])
    assert {route.ring_s for route in target.routes} == {10.0}


def test_in_lab_mode_nothing_but_loopback_is_ever_dialled() -> None:
    assert targets().resolve("120", CallRecord("c1")).routes == ()
    assert len(targets(lab=False).resolve("120", CallRecord("c1")).routes) == 1


@pytest.mark.parametrize(
    "uri",
    [
        "sip:119@127.0.0.1,20,g", "sip:1@127.0.0.1&PJSIP/seat01", "sip:1@127.0.0.1)", "sip:${X}@127.0.0.1", "tel:119",
        "sip:119@127.0.0.1\nX: 1", "sip:1^2@127.0.0.1", "119", "", "sip:119@127.0.0.1.example.com",
    ],
)  # fmt: skip
def test_an_address_that_could_say_more_than_an_address_is_not_dialled(uri: str) -> None:
    assert not usable(uri, lab=True)


def test_a_destination_that_leads_back_to_us_is_not_dialled() -> None:
    own = Own("192.0.2.7", 5060)
    for uri in ("sip:12345@127.0.0.1", "sip:12345@localhost:5060", "sip:12345@192.0.2.7"):
        assert not usable(uri, lab=False, own=own)
    assert usable("sip:12366@127.0.0.1:5200", lab=True, own=own)


def test_a_unit_is_called_on_each_of_its_telephones_and_then_the_shift_leader() -> None:
    routes = targets(leader="02").resolve("unit:water", CallRecord("c1")).routes
    assert [route.by for route in routes] == [By.SIP, By.SIP, By.SIP, By.SEAT]
    assert routes[-1].address == "seat02"
    assert sum(route.ring_s for route in routes) <= 60.0, "a caller waits a minute at most"


def test_an_expert_queue_without_anybody_says_so_at_once() -> None:
    assert targets().resolve("expert:q_market", CallRecord("c1")).routes[0].by is By.QUEUE
    with pytest.raises(TransferRefused) as refused:
        targets(manned=False).resolve("expert:q_market", CallRecord("c1"))
    assert refused.value.reason == "nobody"


@pytest.mark.parametrize(
    "name",
    ["", "expert:", "expert:q_general", "expert:none", "subcenter:water", "subcenter:none", "unit:none", "seat:99",
     "seat:01", "111", "sip:1@127.0.0.1", "expert", "unit:water\r\nAction: Logoff"],
)  # fmt: skip
def test_a_target_that_does_not_exist_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(TransferRefused) as refused:
        targets().resolve(name, CallRecord("c1", seat="01"))
    assert refused.value.reason == "wrong"
    assert "ivr transfer targets" in refused.value.sentence or "trunks.yaml" in refused.value.sentence


def test_a_call_that_came_from_110_is_never_sent_back_to_110() -> None:
    with pytest.raises(TransferRefused) as refused:
        targets().resolve("110", CallRecord("c1", source="110_diversion"))
    assert refused.value.reason == "loop"
    assert targets().resolve("119", CallRecord("c1", source="110_diversion")).routes


def test_a_call_that_a_sub_centre_forwarded_is_not_sent_back_there() -> None:
    assert targets().resolve("subcenter:tax_12366", CallRecord("c1")).routes
    with pytest.raises(TransferRefused) as refused:
        targets().resolve("subcenter:tax_12366", CallRecord("c1", diverted=("083312366",)))
    assert refused.value.reason == "loop"


def test_every_code_leads_to_one_target_and_none_begins_another() -> None:
    codes = targets().codes()
    assert (codes["0"], codes["9"]) == ("110", "119")
    assert (codes["2"], codes["3"], codes["501"], codes["601"], codes["7001"], codes["802"]) == (
        "120", "122", "expert:q_market", "subcenter:tax_12366", "unit:water", "seat:02",
    )  # fmt: skip
    assert not [(a, b) for a in codes for b in codes if a != b and b.startswith(a)]


QUEUES = tuple(QueueSpec(queue, queue) for queue in ("q_general", "q_market", "q_empty", "q_tax"))
PEOPLE = (Operator("1001", "话务员01", ("q_general", "q_market", "q_tax")),)


def experts(book: HotlineBook) -> dict[str, str]:
    return {code: target for code, target in codes_of(book).items() if code.startswith("5")}


def test_a_queue_that_nobody_serves_has_no_code_and_moves_nobody_elses() -> None:
    book = small_book(queues=QUEUES, operators=PEOPLE)
    assert experts(book) == {"501": "expert:q_market", "503": "expert:q_tax"}
    everybody = (Operator("1002", "话务员02", ("q_empty", "q_general")),)
    book = small_book(queues=QUEUES, operators=PEOPLE + everybody)
    assert experts(book) == {"501": "expert:q_market", "502": "expert:q_empty", "503": "expert:q_tax"}
    assert "expert:q_general" not in codes_of(book).values()


def test_what_is_appended_moves_no_code_and_what_is_put_between_is_told() -> None:
    old = small_book(queues=QUEUES[:2], operators=PEOPLE)
    appended = small_book(queues=(*QUEUES[:2], QUEUES[3]), operators=PEOPLE)
    assert moved_codes(old, appended) == []
    between = small_book(queues=(QUEUES[0], QUEUES[3], QUEUES[1]), operators=PEOPLE)
    assert moved_codes(old, between) == [("501", "expert:q_market", "expert:q_tax")]
    assert moved_codes(appended, old) == [("502", "expert:q_tax", "")]


def test_a_target_whose_addresses_cannot_be_dialled_is_known_to_have_no_way() -> None:
    found = targets()
    ways = {name: found.routes(name) for name in ("119", "120", "122", "subcenter:tax_12366", "unit:water")}
    assert ways == {"119": 2, "120": 0, "122": 0, "subcenter:tax_12366": 1, "unit:water": 3}
    assert targets(lab=False).routes("120") == 1


def test_whoever_checks_or_applies_reads_which_codes_move(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IVR_LANGUAGE", "en")
    old = small_book(queues=QUEUES[:2], operators=PEOPLE)
    tell_moved_codes(old, small_book(queues=(QUEUES[0], QUEUES[3], QUEUES[1]), operators=PEOPLE))
    assert "*1501 was expert:q_market, will be expert:q_tax" in capsys.readouterr().out
    tell_moved_codes(old, old)
    assert capsys.readouterr().out == ""
    units = tuple(Unit(f"u{n}", f"单位{n}", 2) for n in range(20))
    monkeypatch.setenv("IVR_LANGUAGE", "zh")
    tell_moved_codes(small_book(units=units), small_book(units=(Unit("new", "新单位", 2), *units)))
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 7
    assert "*17001 原为 unit:u0,将变为unit:new" in told[0] and "另有 14 个" in told[-1]
