"""Calls as carriers really make them: the citizen hears and is heard, whatever else stands in the INVITE."""

from __future__ import annotations

import contextlib
import math
import struct
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asterisk.hotline import Hotline, wait_for
from tests.asterisk.test_waiting import waiting_hotline
from tools.phones.stream import RATE_HZ
from tools.phones.tone_phone import Dialog, TonePhone

pytestmark = pytest.mark.asterisk

CITIZEN_HZ = 440.0


@pytest.fixture(scope="module")
def police() -> Iterator[TonePhone]:
    """Whoever the star key calls."""
    with contextlib.closing(TonePhone(0, 1600.0, ("127.0.0.1", 0), name="110")) as phone:
        yield phone


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, police: TonePhone) -> Iterator[Hotline]:
    """A hotline with a short greeting, for the tests of this file."""
    with waiting_hotline(tmp_path_factory.mktemp("offers"), police.port, IVR_SURVEY="no") as (hotline, _):
        yield hotline


class CarrierPhone(TonePhone):
    """A citizen's phone behind a carrier that does things its own way.

    Args:
        hotline: whom it calls.
        lines: more media lines of its offer.
        contact: what its INVITE gives as its Contact, None for its own address.
        ways: how many branches one INVITE comes on.
        only_g729: whether it offers nothing else.
    """

    def __init__(
        self,
        hotline: Hotline,
        *,
        lines: str = "",
        contact: str | None = None,
        ways: int = 1,
        only_g729: bool = False,
    ) -> None:
        self.only_g729 = only_g729
        self.lines, self.contact, self.ways = lines, contact, ways
        self.statuses: list[tuple[str, int]] = []
        """What was answered: (CSeq, final status)."""
        super().__init__(0, CITIZEN_HZ, ("127.0.0.1", hotline.sip_port))

    def ask(self, method: str, headers: str = "") -> int | None:
        """Send a request inside the call, and return the status of its answer once there is one."""
        dialog = self._dialog
        assert dialog is not None
        dialog.sequence += 1
        self._request(dialog, method, headers=headers)
        asked = f"{dialog.sequence} {method}"
        return wait_for(lambda: dict(self.statuses).get(asked), why=f"an answer to {method}")

    def _sdp(self, dialog: Dialog) -> str:
        body = super()._sdp(dialog) + self.lines
        return body.replace("AVP 8 ", "AVP 18 ").replace(":8 PCMA", ":18 G729") if self.only_g729 else body

    def _send(self, text: str, to: tuple[str, int]) -> None:
        own = f"<sip:tone@127.0.0.1:{self.port}>"
        if self.contact is not None:
            text = text.replace(f"Contact: {own}", f"Contact: {self.contact}")
        super()._send(text, to)
        for way in range(1, self.ways if text.startswith("INVITE") else 1):
            super()._send(text.replace(";rport", f"way{way};rport"), to)

    def _replied(self, message: str) -> None:
        status = int(message.split(" ", 2)[1])
        said = next(line for line in message.splitlines() if line.startswith("CSeq:"))
        if status >= 200:
            self.statuses.append((said.removeprefix("CSeq:").strip(), status))
        if status != 482:  # the other way of this call goes on
            super()._replied(message)


@pytest.mark.parametrize(
    "lines",
    [
        "m=image 13962 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n",
        "m=image 13962 udptl t38\r\na=T38FaxVersion:0\r\nm=image 13964 tcp t38\r\n",
        "m=text 13962 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n",
        "m=video 13962 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n",
        "m=message 13962 TCP/MSRP *\r\na=accept-types:text/plain\r\n",
        "m=application 13962 UDP/BFCP *\r\n",
    ],
    ids=["fax", "two fax lines", "text", "video", "messages", "application"],
)
def test_a_line_that_is_no_voice_is_declined_and_the_citizen_hears_the_hotline(
    city: Hotline, lines: str
) -> None:
    phone = CarrierPhone(city, lines=lines)
    try:
        phone.call("12345", "15400009001")
        wait_for(lambda: phone.up, why="the hotline answers")
        wait_for(lambda: phone.sound(), why="the greeting is heard")
    finally:
        phone.close()


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:caller@127.0.0.77:5999>",
        "<sip:caller@[2001:db8::7]:5060>",
        "<sip:caller@sbc01.ims.invalid:5060>",
    ],
    ids=["private address", "IPv6", "unknown name"],
)
def test_a_citizen_whose_contact_cannot_be_reached_is_not_left_on_a_dead_line(
    city: Hotline, contact: str
) -> None:
    seat = city.man("02", "1002", ring_ms=0, talk_ms=300)
    assert seat
    phone = CarrierPhone(city, contact=contact)
    try:
        phone.call("12345", "15400009002")
        wait_for(lambda: phone.up, why="the hotline answers")
        wait_for(lambda: phone.ended_at, why="the operator hangs up, and the citizen's phone hears of it")
    finally:
        phone.close()
        city.unman("02")


def test_one_call_that_comes_on_two_ways_is_one_ticket(city: Hotline) -> None:
    """RFC 3261 8.2.2.2: the second is answered with 482."""
    number = "15400009003"
    phone = CarrierPhone(city, ways=3)
    try:
        phone.call("12345", number)
        wait_for(lambda: phone.up, why="the hotline answers the first")
        wait_for(lambda: len(phone.statuses) >= 3, why="all three are answered")
        assert sorted(status for _, status in phone.statuses)[-2:] == [482, 482]
    finally:
        phone.close()
    city.ticket_of(number)
    assert len([ticket for ticket in city.tickets() if ticket["caller"].endswith(number[-4:])]) == 1


def test_who_calls_again_is_a_call_of_its_own(city: Hotline) -> None:
    for number in ("15400009004", "15400009005"):
        phone = CarrierPhone(city)
        try:
            phone.call("12345", number)
            wait_for(lambda phone=phone: phone.up, why="the hotline answers")  # type: ignore[misc]
        finally:
            phone.close()
        assert city.ticket_of(number)["outcome"] == "abandoned"


def tone_of_star(path: Path, ms: int = 160) -> Path:
    """Write the sound of the star key: 941 and 1209 Hz, with silence round it."""
    silence = b"\0" * 3200
    values = (
        int(8000 * (math.sin(2 * math.pi * 941 * n / RATE_HZ) + math.sin(2 * math.pi * 1209 * n / RATE_HZ)))
        for n in range(RATE_HZ * ms // 1000)
    )
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(silence + b"".join(struct.pack("<h", value) for value in values) + silence)
    return path


def test_a_star_key_that_comes_as_a_tone_calls_help_once(
    city: Hotline, police: TonePhone, tmp_path: Path
) -> None:
    """Telephone-event is in the answer, and the gateway sends a tone all the same."""
    number = "15400009006"
    phone = CarrierPhone(city)
    try:
        phone.call("12345", number)
        wait_for(lambda: city.call_state(number) == "waiting", why="the citizen waits in the queue")
        phone.say(tone_of_star(tmp_path / "star.wav"))
        wait_for(lambda: police.hears((CITIZEN_HZ,)) == {CITIZEN_HZ}, why="help and the citizen talk")
    finally:
        phone.close()
    assert city.ticket_of(number)["outcome"] == "handed_off"
    assert len(police.invites) == 1


def test_who_asks_for_a_transfer_is_told_no_and_the_talk_goes_on(city: Hotline) -> None:
    """A carrier's REFER, or an operator's transfer key: calls are moved by the hotline alone."""
    phone = CarrierPhone(city)
    try:
        phone.call("12345", "15400009008")
        wait_for(lambda: phone.up, why="the hotline answers")
        assert phone.ask("REFER", "Refer-To: <sip:0013800138000@127.0.0.1>") == 603
        assert phone.up, "the talk goes on"
    finally:
        phone.close()


@pytest.mark.parametrize("method", ["MESSAGE", "NOTIFY", "SUBSCRIBE", "PUBLISH", "FOO"])
def test_a_request_that_nobody_takes_is_answered_and_the_talk_goes_on(city: Hotline, method: str) -> None:
    phone = CarrierPhone(city)
    try:
        phone.call("12345", "15400009010")
        wait_for(lambda: phone.up, why="the hotline answers")
        assert phone.ask(method, "Event: keep-alive") == 501
        assert phone.up, "the talk goes on"
    finally:
        phone.close()


def test_calls_that_asterisk_refuses_by_itself_are_counted_and_an_alarm_says_what_to_do(
    city: Hotline,
) -> None:
    """488 to G.729 alone and 420 to an extension: Asterisk tells them to nobody but the carrier."""

    def refused() -> dict[str, int]:
        counts: dict[str, int] = city.engine("capacity")["refused"]
        return {reason: counts.get(reason, 0) for reason in ("no_codec", "extension")}

    number = "15400009107"
    phone = CarrierPhone(city, only_g729=True)
    try:
        phone.call("12345", number)
        wait_for(lambda: phone.statuses, why="an answer")
        assert phone.statuses[0][1] == 488
    finally:
        phone.close()
    unheard = city.phones.refused(
        dialled="12345", code=420, number="15400009108", headers="Require: precondition"
    )
    assert unheard.wait() == 0, unheard.errors()
    wait_for(lambda: refused() == {"no_codec": 1, "extension": 1}, why=lambda: str(refused()) + city.logs())

    def alarm() -> str:
        found = [row["sentence"] for row in city.engine("alarms") if row["alarm"] == "calls_refused"]
        return found[0] if found else ""

    wait_for(lambda: "G.711" in alarm() and "Require" in alarm(), why=lambda: alarm() or "an alarm")
    assert "1 no_codec (trunk, 488, last dialled 12345)" in alarm()
    rows = {row["reason"]: row for row in city.ask("calls", "list", "--refused")}
    assert rows["no_codec"]["caller"].endswith(number[-4:]), "to call back"
    assert rows["extension"]["trunk"] == "trunk"
    city.kill("asterisk")
    city.wait_live()
    born = time.time()
    wait_for(
        lambda: any(file.stat().st_mtime > born for file in (city.home / "run").glob("carrier-*.pcap")),
        why="the packets of the next Asterisk are copied",
    )
    again = city.phones.refused(
        dialled="12345", code=420, number="15400009109", headers="Require: precondition"
    )
    assert again.wait() == 0, again.errors()
    wait_for(lambda: refused()["extension"] == 2, why="the next Asterisk is listened to as well")
    assert not list((city.home / "run").glob("carrier-*.pcap")) or all(
        b"15400009107" not in file.read_bytes() for file in (city.home / "run").glob("carrier-*.pcap")
    ), "what was read is gone"
