"""Strangers with a great many packets: they cost no memory that stays, no log, and no caller."""

from __future__ import annotations

import json
import re
import socket

import psutil
import pytest

from tests.asterisk.flooding import FORGED, STRANGER, WRONG, flood, nonsense
from tests.asterisk.hotline import Hotline, free_tcp_port, running, wait_for

pytestmark = pytest.mark.asterisk

PACKETS = 40_000


def asterisk_of(hotline: Hotline) -> psutil.Process:
    return psutil.Process(int(hotline.parts()["asterisk"]["pid"]))


def sizes(hotline: Hotline) -> dict[str, int]:
    """Return the size of every log, rotated ones too."""
    folders = hotline.home / "log", hotline.home / "asterisk/log"
    return {
        str(path): path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()
    }


def strangers(hotline: Hotline) -> str:
    path = hotline.home / "log/strangers.log"
    return path.read_text() if path.exists() else ""


def test_a_flood_of_packets_leaves_no_memory_taken_no_log_turned_over_and_the_first_on_record(
    own_hotline: Hotline,
) -> None:
    asterisk = asterisk_of(own_hotline)
    before, logs = asterisk.memory_info().rss, sum(sizes(own_hotline).values())
    flood(own_hotline.sip_port, "OPTIONS", PACKETS)
    wait_for(lambda: f"address={STRANGER}" in strangers(own_hotline), why="the stranger is on record")
    wait_for(
        lambda: asterisk.memory_info().rss < before + 40_000_000,
        60,
        lambda: f"{before >> 20} MB before, {asterisk.memory_info().rss >> 20} MB after",
    )
    assert sum(sizes(own_hotline).values()) < logs + 100_000, sizes(own_hotline)
    assert re.search(rf"what=flood address={re.escape(STRANGER)} times=\d{{3,}}", strangers(own_hotline))
    assert own_hotline.phones.caller(number="15400009001", after_ms=500).wait() == 0
    assert own_hotline.ticket_of("15400009001")["source"] == "live"


def test_a_flood_of_wrong_passwords_is_told_a_few_times_and_the_engine_goes_on_hearing_calls(
    own_hotline: Hotline,
) -> None:
    logs = sum(sizes(own_hotline).values())
    flood(own_hotline.sip_port, "REGISTER", PACKETS, "seat05", WRONG)
    wait_for(lambda: "what=wrong_password" in strangers(own_hotline), why="the stranger is on record")
    caller = own_hotline.phones.caller(number="15400009002", after_ms=500)
    assert caller.wait() == 0, caller.errors()
    assert own_hotline.ticket_of("15400009002")["outcome"] == "abandoned"
    assert sum(sizes(own_hotline).values()) < logs + 100_000, sizes(own_hotline)


def test_no_stranger_writes_a_word_into_asterisks_log_over_udp_or_tcp(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running(tmp_path_factory.mktemp("forged"), quick=True, IVR_SIP_TCP="yes") as hotline:
        log = hotline.home / "asterisk/log/messages.log"
        before = log.read_bytes()
        to = ("127.0.0.1", hotline.sip_port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((STRANGER, 0))
            for said in nonsense(hotline.sip_port):
                stranger.sendto(said, to)
        for said in nonsense(hotline.sip_port):
            with socket.create_connection(to, source_address=(STRANGER, 0)) as stranger:
                stranger.settimeout(0.2)
                try:
                    stranger.sendall(said.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
                    stranger.recv(4096)
                except OSError:
                    continue
        wait_for(lambda: "what=unknown" in strangers(hotline), why="the stranger is on record")
        assert log.read_bytes() == before
        assert FORGED[:20] not in b"".join(path.read_bytes() for path in (hotline.home / "log").glob("*.log"))
        assert all(
            re.match(r"\S+ \S+ strangers? \S+ ", line) and line.isprintable()
            for line in strangers(hotline).splitlines()
        )


def test_sip_over_tcp_is_listened_to_only_where_it_is_wanted(own_hotline: Hotline) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", own_hotline.sip_port))


def test_a_tcp_port_that_somebody_else_holds_stops_the_start_only_where_sip_over_tcp_is_wanted(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    port = free_tcp_port()
    with socket.create_server(("127.0.0.1", port)):
        hotline = Hotline(
            tmp_path_factory.mktemp("taken"), quick=True, IVR_SIP_PORT=str(port), IVR_SIP_TCP="yes"
        )
        done = hotline.run("up", "--detach")
        assert done.returncode == 1
        assert f"tcp port {port}" in done.stderr
        hotline.environment["IVR_SIP_TCP"] = "no"
        try:
            hotline.up()
            assert json.loads(hotline.run("status", "--json").stdout)["parts"]["asterisk"]["state"] == "live"
        finally:
            hotline.down()
