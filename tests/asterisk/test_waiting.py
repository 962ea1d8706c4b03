"""What a caller lives through in the queue, on a real Asterisk: place, callback, message, survey."""

from __future__ import annotations

import audioop
import contextlib
import hashlib
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivr.speech.prompts import SHIPPED
from tests.asterisk.hotline import SPEECH, Hotline, wait_for
from tools.phones import free_udp_port

pytestmark = pytest.mark.asterisk


@contextlib.contextmanager
def waiting_hotline(folder: Path, **extra: str) -> Iterator[tuple[Hotline, int]]:
    """A hotline that calls back on a port of ours, asks how it was, and waits for nobody long."""
    folder.mkdir(exist_ok=True)
    port = free_udp_port()
    settings = {"IVR_SURVEY": "yes", "IVR_UNATTENDED_S": "3600", "IVR_CALLBACK_RETRY_S": "2"} | extra
    hotline = Hotline(folder, quick=True, **settings)
    trunks = folder / "queues/trunks.yaml"
    text = trunks.read_text(encoding="utf-8").replace(
        "destinations: {}", f"destinations: {{callback: ['sip:127.0.0.1:{port}']}}"
    )
    trunks.write_text(text, encoding="utf-8")
    try:
        hotline.up()
        yield hotline, port
    finally:
        hotline.down()
    assert not hotline.processes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hotline, int]]:
    with waiting_hotline(tmp_path_factory.mktemp("waiting")) as both:
        yield both


def frames(path: Path) -> bytes:
    with wave.open(str(path)) as sound:
        return sound.readframes(sound.getnframes())


def times_heard(recording: Path, prompt: str) -> int:
    """Count how often a prompt's most telling part stands in a recording."""
    whole = frames(recording)
    said = frames(SHIPPED / f"zh/{prompt}.wav")
    length = min(2400, len(said) // 2)
    start = audioop.findmax(said, length)
    part = said[2 * start : 2 * (start + length)]
    found = 0
    while len(whole) > len(part):
        at, factor = audioop.findfit(whole, part)
        match = whole[2 * at : 2 * at + len(part)]
        rest = audioop.add(match, audioop.mul(part, 2, -factor), 2)
        if audioop.rms(rest, 2) > 0.35 * max(1, audioop.rms(match, 2)) or audioop.rms(match, 2) < 100:
            return found
        found += 1
        whole = whole[: 2 * at] + b"\0" * len(part) + whole[2 * at + len(part) :]
    return found


def channel_of(hotline: Hotline, number: str) -> str:
    """Return the channel of a caller."""

    def found() -> str | None:
        for line in hotline.cli("core show channels concise").splitlines():
            cells = line.split("!")
            if len(cells) > 7 and cells[0].startswith("PJSIP/trunk") and number in cells:
                return cells[0]
        return None

    return wait_for(found, 10, f"a channel of {number}")


def kinds(ticket: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in ticket["events"]]


def busy_operator(hotline: Hotline, number: str, talk_ms: int) -> None:
    """Let the only operator talk to somebody for a while."""
    hotline.phones.caller(number=number, stays=True)
    wait_for(lambda: hotline.call_state(number) == "talking", 15, "the operator is busy")


def wish(hotline: Hotline, number: str, keys: str = "11") -> None:
    """Call, wait, and ask for a callback."""
    hotline.phones.caller(number=number, stays=True, before_ms=1200, keys=keys, key_gap_ms=700)
    wait_for(lambda: hotline.call_state(number) == "callback", 15, f"the wish is noted {hotline.logs()}")


def test_a_caller_hears_their_place_once_and_again_only_when_it_is_better(place: tuple[Hotline, int]) -> None:
    hotline, _ = place
    first = hotline.phones.caller(number="95540003001", after_ms=7000)
    wait_for(lambda: hotline.call_state("95540003001") == "waiting", 15, "the first waits")
    hotline.phones.caller(number="95540003002", after_ms=20_500)
    name = channel_of(hotline, "95540003002")
    hotline.cli(f"mixmonitor start {name} {hotline.folder}/early.wav")
    wait_for(lambda: hotline.waiting() == 2, 10, "both wait")
    assert first.wait() == 0
    hotline.cli(f"mixmonitor stop {name}")
    hotline.cli(f"mixmonitor start {name} {hotline.folder}/late.wav")
    wait_for(lambda: hotline.ticket_of("95540003002"), 30, "the second gives up")
    early, late = hotline.folder / "early.wav", hotline.folder / "late.wav"
    assert [times_heard(early, prompt) for prompt in ("S020", "n_2", "S021", "P021")] == [1, 1, 1, 0]
    assert [times_heard(late, prompt) for prompt in ("S020", "P021")] == [0, 1], "now the next one"


def test_a_wished_callback_keeps_the_place_and_brings_citizen_and_operator_together(
    place: tuple[Hotline, int],
) -> None:
    hotline, port = place
    citizen = hotline.phones.seat(port, sound=SPEECH / "power_cut.wav")
    hotline.man("01", "1001", talk_ms=13_000, sound=SPEECH / "social_card.wav")
    busy_operator(hotline, "15400003010", 6000)
    wish(hotline, "15400003011")
    late = hotline.phones.caller(number="15400003012", stays=True)
    wait_for(lambda: hotline.waiting() == 2, 10, "the late one stands behind the placeholder")
    ticket = hotline.transcribed("15400003011", 60)
    late.stop()
    citizen.stop()
    assert ticket["outcome"] == "answered"
    assert (ticket["seat"], ticket["operator"]) == ("01", "1001")
    told = kinds(ticket)
    assert [kind for kind in told if kind.startswith("callback")] == [
        "callback_claimed",
        "callback_tried",
        "callback_answered",
    ]
    assert ticket["transcript"]["status"] == "done"
    [recording] = ticket["recordings"]
    assert hashlib.sha256(Path(recording["path"]).read_bytes()).hexdigest() == recording["sha256"]
    assert sum(t["caller"].endswith("3011") for t in hotline.tickets()) == 1, "one call, one ticket"
    print(kinds(ticket), ticket["transcript"])
