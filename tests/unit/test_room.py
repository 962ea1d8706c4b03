"""What an administrator is told of the room for callers, and what Asterisk is given."""

from __future__ import annotations

import json
import resource
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ivr.admission.capacity import WANTED_WAITING, capacity, pairs_for, pairs_of_files
from ivr.admission.room import LEAST_FILES, max_files
from ivr.asterisk.facts.ports_in_use import udp_ports_in_use
from ivr.asterisk.install.rendering import render
from ivr.cli.main import main
from ivr.home.secrets import open_keys
from ivr.home.settings import Settings
from ivr.rollout import staging as deployment
from tests.unit.kit import small_book

SHIPPED = Path(__file__).parents[2] / "queues"


def check(home: Path, ports: str, *words: str) -> Result:
    environment = {
        "IVR_HOME": str(home),
        "IVR_CONFIG": str(SHIPPED),
        "IVR_RTP_PORTS": ports,
        "IVR_LANGUAGE": "en",
        "IVR_ASTERISK": "",
    }
    return CliRunner().invoke(main, ["check", *words], env=environment)


def test_the_shipped_range_is_no_reason_to_say_anything(tmp_path: Path) -> None:
    done = check(tmp_path, "10000-11599")
    assert done.exit_code == 0, done.output
    assert "room for 547 callers" in done.stdout
    assert "IVR_RTP_PORTS" not in done.stdout


def test_a_range_for_fewer_than_500_waiting_is_advice_with_the_number_of_ports(tmp_path: Path) -> None:
    done = check(tmp_path, "10000-10999")
    assert done.exit_code == 0, done.output
    assert (
        "advice: IVR_RTP_PORTS 10000-10999 is room for 325 callers: 24 seats and 500 waiting" in done.stdout
    )
    document = json.loads(check(tmp_path, "10000-10999", "--json").stdout)
    assert (document["ok"], document["capacity"]["callers"]) == (True, 325)
    assert document["capacity"]["advice"]["severity"] == "advice"


def test_a_range_in_which_seats_ring_in_vain_is_a_fault(tmp_path: Path) -> None:
    done = check(tmp_path, "10000-10039")
    assert done.exit_code == 1
    assert "room for 4 callers, fewer than the 24 seats" in done.stderr
    document = json.loads(check(tmp_path, "10000-10039", "--json").stdout)
    assert document["ok"] is False
    assert document["capacity"]["advice"]["severity"] == "fault"


def test_few_file_handles_are_advice_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    done = check(tmp_path, "10000-11599")
    assert done.exit_code == 0, done.output
    assert "advice: a process may open 1024 files (ulimit -n), which is room for 43 callers" in done.stdout


@pytest.mark.parametrize(
    ("hard", "files"), [(1024, 1024), (1_000_000, LEAST_FILES), (resource.RLIM_INFINITY, LEAST_FILES)]
)
def test_asterisk_is_asked_for_no_more_file_handles_than_it_may_have(
    hard: int, files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, hard))
    assert max_files(800) == files
    settings, book = Settings(home=tmp_path), small_book()
    keys = open_keys(tmp_path, deployment.sip_users(book), [])
    folders = {"home": tmp_path, "run": tmp_path, "modules": tmp_path, "module_names": []}
    render(deployment.TEMPLATES, tmp_path / "etc", deployment.context(settings, book, keys, folders))
    assert f"maxfiles = {files}" in (tmp_path / "etc/asterisk.conf").read_text()
    dialplan = (tmp_path / "etc/ivr12345/extensions.conf").read_text()
    limit = f"IVR_STRAINED_LIMIT}}:{deployment.room_of(settings, book).callers}"
    assert (
        f"${{GROUP_COUNT(caller@ivr12345)}} > ${{IF($[0${{IVR_STRAINED_UNTIL}} > ${{EPOCH}}]?${{{limit})}}]"
        in dialplan
    )


def test_a_city_of_two_thousand_seats_gets_the_file_handles_that_its_ports_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 65536))
    pairs = pairs_for(2000 + WANTED_WAITING, 2000)
    assert capacity(min(pairs, pairs_of_files(max_files(pairs))), 2000).callers >= 2000 + WANTED_WAITING
    assert 2 * pairs < 65536 - 1024, "there are that many ports"


def test_ports_in_use_are_those_the_kernel_has_bound() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        assert udp_ports_in_use(port, port) == 1
    assert udp_ports_in_use(port, port) == 0
