"""What is legal and unwise is said, and nothing is refused for it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ivr.hotline.destinations import Own
from ivr.hotline.files.reading import Severity, read
from ivr.speech.prompts import wordings
from tests.unit.configuration_kit import SPRING, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


SUBCENTER = "  'subcenter:tax_12366': [sip:12366@127.0.0.1:5200]\n"
ADVICE = [
    (
        "a shared alias",
        "lines.yaml",
        "aliases: [科技公益",
        "aliases: [职工互助, 科技公益",
        "职工互助 names tech_12396 and union",
    ),
    ("a queue no line uses", "lines.yaml", "    queue: q_hr_12333\n", "", "no line goes to queue q_hr_12333"),
    ("a menu without keys", "reception.yaml", "style: direct", "style: menu", "a menu without keys"),
    (
        "a number for emergencies without a way",
        "trunks.yaml",
        "  '122': [sip:122@127.0.0.1:5122]\n",
        "",
        "122 has no destination: operators cannot bring it in",
    ),
    (
        "a star that leads nowhere",
        "trunks.yaml",
        "  '110': [sip:110@127.0.0.1:5110]\n",
        "",
        "* leads to 110, which has no destination",
    ),
    ("a sub-centre without a way", "trunks.yaml", SUBCENTER, "", "has no destination 'subcenter:tax_12366'"),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"), [row[1:] for row in ADVICE], ids=[row[0] for row in ADVICE]
)
def test_what_is_unwise_is_said(desk: Desk, name: str, old: str, new: str, words: str) -> None:
    (row,) = desk.edit(name, old, new).advised()
    assert words in row


def test_an_expert_queue_nobody_serves_is_said(desk: Desk) -> None:
    path = desk.folder / "operators.yaml"
    path.write_text(path.read_text("utf-8").replace(", q_hr_12333", ""), "utf-8")
    assert desk.advised() == []  # its calls overflow to people
    block = (
        "kind: expert\n    hours: workdays 09:00-17:00\n    overflow_to: q_general\n    overflow_after_s: 10"
    )
    desk.edit("queues.yaml", f"name: 人社专席\n    {block}", "name: 人社专席\n    kind: expert")
    (row,) = desk.advised()
    assert "nobody serves expert queue q_hr_12333" in row


@pytest.mark.parametrize(
    ("today", "years"),
    [
        (date(2026, 11, 1), []),
        (date(2026, 11, 2), ["2027"]),
        (date(2027, 2, 1), ["2027"]),
        (date(2027, 12, 1), ["2027", "2028"]),
    ],
)
def test_the_next_year_is_asked_for_sixty_days_ahead(desk: Desk, today: date, years: list[str]) -> None:
    rows = desk.advised(today)
    assert [row.partition("holidays of ")[2][:4] for row in rows] == years
    assert all(row.startswith("calendar.yaml:") for row in rows)


def test_a_destination_that_leads_back_to_this_hotline_is_a_fault_where_its_address_is_known(
    desk: Desk,
) -> None:
    own = Own("127.0.0.1", 5119)
    (fault,) = read(desk.folder, SPRING, own).faults
    assert "sip:119@127.0.0.1:5119 leads back to this hotline" in fault.en
    assert "指向本热线自身" in fault.zh
    assert fault.severity is Severity.FAULT
    assert (desk.folder / "trunks.yaml").read_text("utf-8").splitlines()[fault.line - 1].startswith("  '119'")
    assert read(desk.folder, SPRING, Own("127.0.0.1", 5060)).ok


def test_a_prompt_that_nobody_can_hear_and_a_greeting_without_the_recording_notice_are_faults(
    desk: Desk,
) -> None:
    def said() -> list[str]:
        faults = read(desk.folder, SPRING, None, wordings()).faults
        return [fault.sentence().removeprefix(f"{desk.folder}/") for fault in faults]

    assert said() == []
    desk.edit("reception.yaml", "greeting: P001", "greeting: P023")
    desk.edit("reception.yaml", "merged_prompt: P006", "merged_prompt: P996")
    desk.edit("modes.yaml", "prompt: P041", "prompt: P999")
    greeting, merged, mode = said()
    assert greeting.startswith("reception.yaml:4: P023 does not say that the call is recorded")
    assert merged.startswith("reception.yaml:7: there is no prompt P996")
    assert mode.startswith(f"modes.yaml:{desk.edited}: there is no prompt P999")
    assert read(desk.folder, SPRING).ok  # where nobody knows the prompts
    desk.edit("reception.yaml", "greeting: P023", "greeting: P002")
    desk.edit("reception.yaml", "merged_prompt: P996", "merged_prompt: ''")
    assert len(said()) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("aliases: [科技公益", "aliases: ['水', 科技公益", "水 is one character: it counts only where"),
        ("aliases: [科技公益", "aliases: ['。。', 科技公益", "。。 has neither a character nor a digit"),
        ("words: [着火", "words: ['火', 着火", "火 is one character and part of many harmless words"),
        ("words: [检察院", "words: ['院', 检察院", "院 is one character: it counts only where"),
    ],
)
def test_a_name_too_short_to_be_heard_rightly_is_advised_about(
    desk: Desk, old: str, new: str, words: str
) -> None:
    (row,) = desk.edit("lines.yaml", old, new).advised()
    assert row.startswith(f"lines.yaml:{desk.edited}: {words}")
