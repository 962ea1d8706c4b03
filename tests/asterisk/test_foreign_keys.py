"""Nobody but the caller calls help in the caller's name by a key in RTP."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asterisk.hotline import Hotline, quick_city, running, wait_for
from tests.asterisk.three_parties import configure
from tools.phones import free_udp_port
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk

HELP_PORT = free_udp_port()
HELP = 1600.0
STAR, KEYS = 10, 101


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    folder: Path = tmp_path_factory.mktemp("keys")
    config = quick_city(folder)
    configure(config, {"110": [f"sip:110@127.0.0.1:{HELP_PORT}"]})
    with running(folder, IVR_CONFIG=str(config)) as one:
        yield one


@pytest.fixture
def caller(hotline: Hotline) -> Iterator[TonePhone]:
    """Somebody who waits in the queue and sends no voice."""
    phone = TonePhone(0, 400.0, ("127.0.0.1", hotline.sip_port))
    phone.suppresses = True
    phone.call("12345", "95551234567")
    wait_for(lambda: hotline.call_state("95551234567") == "waiting", why="they wait")
    yield phone
    phone.close()


def star(phone: TonePhone, sender: socket.socket) -> None:
    """Press * once in RTP (RFC 4733), 160 ms."""
    dialog = phone._dialog
    assert dialog is not None and dialog.media is not None
    for number in range(11):
        ended = number >= 8
        kind, held = KEYS | (0x80 if not number else 0), min(number + 1, 8) * 160
        head = struct.pack("!BBHII", 0x80, kind, 700 + number, 160, 77)
        sender.sendto(head + struct.pack("!BBH", STAR, 0x80 * ended | 10, held), dialog.media)
        time.sleep(0.02)


def test_a_star_from_elsewhere_calls_no_help_and_the_caller_s_own_does(
    hotline: Hotline, caller: TonePhone
) -> None:
    help_ = TonePhone(HELP_PORT, HELP, ("127.0.0.1", hotline.sip_port))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            star(caller, stranger)
        # the key has been seen and led back to the queue, in which they keep their place
        wait_for(
            lambda: hotline.cli("core show channels concise").count("ivr-queue") == 1, why="they wait on"
        )
        assert not help_.invites
        assert hotline.waiting() == 1
        star(caller, caller._rtp)
        assert until(lambda: caller.hears((HELP,)) == {HELP}), hotline.logs()
    finally:
        help_.close()
