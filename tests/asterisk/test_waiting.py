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


def test_probe(place: tuple[Hotline, int]) -> None:
    hotline, port = place
    import time

    print((hotline.home / "asterisk/etc/ivr12345/queues.conf").read_text()[-1200:])
    hotline.man("01", "1001", talk_ms=6000)
    blocker = hotline.phones.caller(number="15400003001", after_ms=9000)
    wait_for(lambda: hotline.call_state("15400003001") == "talking", 15, "the first talks")
    wish = hotline.phones.caller(number="15400003002", stays=True, before_ms=2500, keys="11", key_gap_ms=900)
    wait_for(lambda: hotline.call_state("15400003002") == "waiting", 15, "the second waits")
    time.sleep(4)
    print(hotline.cli("queue show q_general"))
    citizen = hotline.phones.seat(port, talk_ms=4000)
    wish.wait()
    print(hotline.call_state("15400003002"))
    time.sleep(15)
    print(hotline.cli("core show channels concise"))
    print(hotline.cli("database show ivr-callback"))
    for t in hotline.tickets():
        print(t["caller"], t["outcome"], t["seat"], t["recordings"])
        for e in t["events"]:
            print("   ", e)
    time.sleep(20)
    for t in hotline.tickets():
        print(t["caller"], t["outcome"], t["seat"], t["recordings"], kinds(t)[-6:])
    print(hotline.logs()[-6000:])
