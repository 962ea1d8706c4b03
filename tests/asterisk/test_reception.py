"""A citizen calls a line, or is asked in the menu, on a real Asterisk: what is heard, and who answers."""

from __future__ import annotations

import json
import os
import re
import signal
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ivr.speech.prompts import RECORDING_NOTICE_MAX_S, PromptBook, wav_seconds
from tests.asterisk.hotline import SPEECH, Hotline, running, wait_for
from tools.phones import Running
from tools.phones.ear import Ear

pytestmark = pytest.mark.asterisk

ZONE = ZoneInfo("Asia/Shanghai")


def city_of_experts(config: Path) -> None:
    """Have experts who always take calls, experts who do not now, and a menu."""
    later = datetime.now(ZONE) + timedelta(hours=6)
    shut = f"daily {later:%H:00}-{later + timedelta(hours=1):%H:00}"
    for name, pattern, text in (
        ("queues", r"(id: q_market_12315\n(?:    .*\n)*?    hours: ).*", r"\1always"),
        ("queues", r"(id: q_medins_12393\n(?:    .*\n)*?    hours: ).*", rf"\g<1>{shut}"),
        ("lines", r"(id: (?:market_12315|medins_12393)\n(?:    .*\n)*?    merge_mode: ).*", r"\1resident"),
        ("lines", r"    queue: q_hr_12333\n", ""),
        ("operators", r"(number: '1002'.*queues: )\[.*?\]", r"\1[q_market_12315]"),
        ("reception", r"style: direct", "style: menu"),
        ("reception", r"keys: {}", "keys: {'1': hr_12333}"),
        ("reception", r"speech: false", "speech: true"),
    ):
        path = config / f"{name}.yaml"
        before = path.read_text(encoding="utf-8")
        after, changes = re.subn(pattern, text, before)
        assert changes, (name, pattern)
        path.write_text(after, encoding="utf-8")


SHORT_S = 0.6
TONES = {"P002": 500, "P003": 700, "S030": 900, "S031": 1100}
"""Prompts of the menu, replaced by short tones (Hz): tests have no time for courtesy."""


def tone(path: Path, hertz: int, seconds: float) -> None:
    half = 8000 // hertz // 2
    wanted = int(8000 * seconds)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(((b"\x00\x10" * half + b"\x00\xf0" * half) * wanted)[: 2 * wanted])


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    def prepare(hotline: Hotline) -> None:
        config = Path(hotline.environment["IVR_CONFIG"])
        city_of_experts(config)
        for prompt, hertz in TONES.items():
            tone(config / f"prompts/{prompt}.wav", hertz, SHORT_S)

    with running(tmp_path_factory.mktemp("reception"), quick=True, prepare=prepare) as hotline:
        yield hotline


@dataclass
class Said:
    """A caller on the way: the phone, where what it hears is kept, and when the caller has heard enough."""

    number: str
    phone: Running
    ear: Ear
    enough: Callable[[], bool]


def call(
    city: Hotline,
    number: str,
    *,
    hears: Sequence[Path] = (),
    happens: str = "",
    **phone: Any,
) -> Said:
    """Make a call; a caller who says nothing is listened to.

    Args:
        city: who is called.
        number: the caller's.
        hears: what the caller waits to hear.
        happens: what must have happened before the caller hangs up; else an operator has answered.
        phone: how it calls.
    """
    ear, heard_s = Ear(), 0.0

    def enough() -> bool:
        nonlocal heard_s
        if hears:
            if ear.seconds < heard_s + 1.0:  # to look for a sound takes long
                return False
            heard_s = ear.seconds
            return all(ear.find(sound) is not None for sound in hears)
        if happens:
            return any(happens in json.dumps(event) for event in city.journal_of(number))
        return city.call_state(number) == "talking"

    listens = 0 if "sound" in phone else ear.port
    return Said(number, city.phones.caller(number=number, ear=listens, stays=True, **phone), ear, enough)


def finished(calls: dict[str, Said]) -> dict[str, Said]:
    for name, one in calls.items():
        wait_for(one.enough, why=f"{name} hears enough")
        assert one.phone.hang_up() == 0, one.phone.errors()
        one.ear.close()
    return calls


def happened(ticket: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(event for event in ticket["events"] if event["kind"] == kind)
    return found


def heard(ear: Ear, sounds: list[Path]) -> list[float]:
    """Return the second at which each recording was heard."""
    found = [ear.find(sound) for sound in sounds]
    assert None not in found, f"{sounds} in {ear.seconds:.1f} s: {found}"
    return [second for second in found if second is not None]


# -- a number of its own -----------------------------------------------------------------------
LINES = [
    ("12301", "travel_12301", "P006", "q_general"),
    ("12333", "hr_12333", "P005", "q_general"),
    ("12315", "market_12315", "P005", "q_market_12315"),
    ("12393", "medins_12393", "P005", "q_medins_12393"),
]


@pytest.fixture(scope="module")
def dialled(city: Hotline) -> dict[str, Said]:
    """Callers of four lines, all at once."""
    for seat, operator in (("01", "1001"), ("02", "1002"), ("03", "1003"), ("04", "1004")):
        city.man(seat, operator)
    calls = {row[0]: call(city, f"154000{row[0]}", dialled=row[0]) for row in LINES}
    return finished(calls)


@pytest.mark.parametrize(
    ("number", "line", "prompt", "queue"), LINES, ids=["whole", "parallel", "experts-open", "experts-shut"]
)
def test_a_line_s_caller_hears_its_name_and_reaches_who_takes_its_calls(
    city: Hotline, dialled: dict[str, Said], number: str, line: str, prompt: str, queue: str
) -> None:
    sounds = PromptBook().files(prompt, line_name=line)
    hello, name, rest = heard(dialled[number].ear, sounds)
    assert hello < name < rest
    assert rest + wav_seconds(sounds[2]) <= RECORDING_NOTICE_MAX_S, "all that plays before the queue"
    ticket = city.ticket_of(dialled[number].number)
    assert (ticket["line_id"], ticket["outcome"]) == (line, "answered")
    assert (ticket["operator"] == "1002") == (queue == "q_market_12315")
    placed = happened(ticket, "placed")
    if queue == "q_medins_12393":
        assert (placed["queue"], placed["closed"]) == ("q_general", "q_medins_12393")
    else:
        assert placed["queue"] == ticket["queue"] == queue
    assert happened(ticket, "line_chosen")["by"] == "dialled"


# -- the menu ----------------------------------------------------------------------------------
def spoken(city: Hotline, name: str) -> Path:
    """Return a recording with the silence after it that a phone sends and SIPp does not."""
    target = city.folder / f"{name}_said.wav"
    with wave.open(str(SPEECH / f"{name}.wav")) as said, wave.open(str(target), "wb") as sound:
        sound.setparams(said.getparams())
        sound.writeframes(said.readframes(said.getnframes()) + bytes(2 * 8000 * 3))
    return target


@pytest.fixture(scope="module")
def asked(city: Hotline, dialled: dict[str, Said]) -> dict[str, Said]:
    """Callers of 12345 who are asked, all at once; experts are away."""
    city.engine("pause", seat="02", reason="rest")
    before_ms = int(3 * SHORT_S * 1000) + 700  # the beep is over by then
    calls = {
        **{
            keys: call(
                city,
                f"1540002000{n}",
                keys=keys,
                hears=PromptBook().files("S032", line_name=line)[:2] if line else (),
                happens="help_wanted" if keys == "*" else '"placed"',
            )
            for n, (keys, (line, _)) in enumerate(KEYS.items())
        },
        **{
            name: call(
                city,
                f"1540003100{n}",
                before_ms=before_ms,
                sound=spoken(city, name),
                happens='"line_chosen"',
            )
            for n, name in enumerate(WORDS)
        },
        "nothing": call(city, "15400042001"),
        "elsewhere": call(city, "02887655005", dialled="12315", hears=PromptBook().files("P007")),
    }
    return finished(calls)


KEYS = {"1": ("hr_12333", "1"), "12366#": ("tax_12366", "12366"), "0": (None, "0"), "*": (None, "*")}
WORDS = {"social_card": ("hr_12333", None), "fire": (None, "119")}


@pytest.mark.parametrize("keys", KEYS, ids=["key", "number", "person", "star"])
def test_a_key_or_a_number_leads_from_the_menu_to_the_line(
    city: Hotline, asked: dict[str, Said], keys: str
) -> None:
    ticket = city.ticket_of(asked[keys].number)
    line, keyed = KEYS[keys]
    chosen, placed = happened(ticket, "line_chosen"), happened(ticket, "placed")
    assert (ticket["line_id"], ticket["queue"]) == (line, "q_general")
    assert (chosen["by"], chosen["keyed"]) == ("keys", keyed)
    assert ticket["events"][0]["at"] <= happened(ticket, "greeted")["at"] < chosen["at"], "the menu answers"
    assert (placed.get("emergency"), placed["priority"]) == (("*", 20) if keys == "*" else (None, 0))
    if line:
        heard(asked[keys].ear, PromptBook().files("S032", line_name=line)[:2])
    wanted = [event["target"] for event in ticket["events"] if event["kind"] == "help_wanted"]
    assert wanted == (["110"] if keys == "*" else []), ticket["events"]


@pytest.mark.parametrize("name", WORDS)
def test_what_a_caller_says_leads_to_the_line_and_is_deleted(
    city: Hotline, asked: dict[str, Said], name: str
) -> None:
    ticket = city.ticket_of(asked[name].number)
    line, emergency = WORDS[name]
    chosen = happened(ticket, "line_chosen")
    assert (chosen["by"], chosen["line_id"], ticket["line_id"]) == ("speech", line, line), chosen
    assert chosen.get("emergency") == emergency
    assert len(chosen["heard"]) >= 4
    assert not list((city.home / "utterances").iterdir())


def test_who_presses_and_says_nothing_hears_the_menu_and_then_a_person(
    city: Hotline, asked: dict[str, Said]
) -> None:
    prompts = Path(city.environment["IVR_CONFIG"]) / "prompts"
    ear = asked["nothing"].ear
    greeting, menu, invited = heard(ear, [prompts / f"{name}.wav" for name in ("P002", "P003", "S031")])
    [transfer] = heard(ear, PromptBook().files("P004"))
    assert greeting < menu < invited < transfer
    ticket = city.ticket_of(asked["nothing"].number)
    assert (ticket["line_id"], ticket["outcome"]) == (None, "answered")
    assert happened(ticket, "line_chosen")["by"] == "nothing"


def test_a_caller_from_another_city_is_told_while_waiting_how_to_reach_its_hotline(
    city: Hotline, asked: dict[str, Said]
) -> None:
    *_, greeted = heard(asked["elsewhere"].ear, PromptBook().files("P005", line_name="market_12315"))
    [told] = heard(asked["elsewhere"].ear, PromptBook().files("P007"))
    assert told > greeted
    assert city.ticket_of(asked["elsewhere"].number)["queue"] == "q_market_12315"


def test_asterisk_had_nothing_to_complain_about(city: Hotline) -> None:
    lines = (city.home / "asterisk/log/messages.log").read_text(errors="replace").splitlines()
    assert not [line for line in lines if "ERROR[" in line or "WARNING[" in line]


def test_an_engine_killed_in_the_menu_loses_nobody(city: Hotline) -> None:
    number = "15400036006"
    pid = city.pid("engine")
    for seat in city.engine("seats"):
        if seat["operator"] is not None:
            city.unman(seat["seat"])
    caller = call(city, number)
    wait_for(lambda: caller.ear.seconds > SHORT_S / 2, why="the menu in the caller's ear")
    os.kill(pid, signal.SIGKILL)
    city.wait_live()
    wait_for(lambda: city.waiting() == 1, why="the dialplan has led the caller to the queue")
    assert caller.phone.hang_up() == 0, caller.phone.errors()
    caller.ear.close()

    def kinds() -> list[str]:
        return [event["kind"] for event in city.ticket_of(number)["events"]]

    # the end may be heard live, and that the caller was queued meanwhile only told by Asterisk's records
    wait_for(lambda: "queued" in kinds(), why="the queue of a call that nobody heard")
    ticket = city.ticket_of(number)
    assert [row["call_id"] for row in city.tickets()].count(ticket["call_id"]) == 1
    assert ticket["outcome"] == "abandoned"
    assert not {"placed", "line_chosen"} & set(kinds())
