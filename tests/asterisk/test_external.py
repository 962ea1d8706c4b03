"""The city runs its own Asterisk; the hotline attaches to it and survives a cut line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.asterisk.install.instance import Instance
from tests.asterisk.city import CutLine, attached_to_a_city
from tests.asterisk.hotline import Hotline, wait_for

pytestmark = pytest.mark.asterisk


@pytest.fixture
def attached(tmp_path: Path) -> Iterator[tuple[Hotline, CutLine, Instance]]:
    """A hotline attached to a city's Asterisk over a line that can be cut."""
    with attached_to_a_city(tmp_path) as whole:
        yield whole


def test_what_is_to_be_included_is_printed_and_written_once(
    attached: tuple[Hotline, CutLine, Instance],
) -> None:
    hotline, _, city = attached
    printed = hotline.run("asterisk", "include")
    assert "#include" in printed.stdout, printed.stderr
    before = {path.name: path.read_text() for path in (city.home / "etc").glob("*.conf")}
    assert any(
        f"#include {hotline.home}" in text or f'#include "{hotline.home}' in text for text in before.values()
    )
    assert hotline.run("asterisk", "include", "--install", str(city.home / "etc")).returncode == 0
    assert before == {path.name: path.read_text() for path in (city.home / "etc").glob("*.conf")}


def test_a_minute_without_the_manager_under_load_loses_no_ticket(
    attached: tuple[Hotline, CutLine, Instance],
) -> None:
    hotline, line, _ = attached
    assert hotline.parts()["asterisk"]["state"] == "live"
    sitting = {f"{n:02}": f"10{n:02}" for n in range(1, 7)}
    for seat, operator in sitting.items():
        hotline.man(seat, operator, ring_ms=0)
    calls = hotline.phones.caller(number="134[call_number]0000", after_ms=4000, calls=350, rate=5)
    time.sleep(4)
    line.cut(60)
    assert calls.wait(60) == 0, calls.errors()
    hotline.wait_live()
    wait_for(
        lambda: len(hotline.tickets()) == 350 and all(t["outcome"] for t in hotline.tickets()),
        why=hotline.logs,
    )
    tickets = hotline.tickets()
    assert len({ticket["call_id"] for ticket in tickets}) == 350
    answered = [ticket for ticket in tickets if ticket["outcome"] == "answered"]
    assert len(answered) >= 15, "the seats answered all the while"
    assert all(sitting[ticket["seat"]] == ticket["operator"] for ticket in answered)
    rows = hotline.engine("seats")
    assert {row["seat"]: row["operator"] for row in rows if row["operator"]} == sitting


def test_a_change_reaches_the_city_s_asterisk_without_a_restart(
    attached: tuple[Hotline, CutLine, Instance],
) -> None:
    hotline, _, city = attached
    waiting = hotline.phones.caller(number="15400008001", after_ms=60_000)
    wait_for(lambda: hotline.waiting() == 1, why=hotline.logs)
    config = Path(hotline.environment["IVR_CONFIG"])
    with (config / "queues.yaml").open("a", encoding="utf-8") as file:
        file.write("  - {id: q_townhall, name: 新队列, strategy: random}\n")
    done = hotline.run("apply")
    assert done.returncode == 0, done.stderr
    assert "'random' strategy" in city.command("queue show q_townhall")
    assert hotline.waiting() == 1
    assert waiting.process.poll() is None
    pid = city.pid()
    done = hotline.run("apply", "--undo")
    assert done.returncode == 0, done.stderr
    assert "q_townhall" not in city.command("queue show")

    # a city's Asterisk that includes our files no more is not called changed
    waiting.stop()
    city.command("channel request hangup all")
    queues = city.home / "etc/queues.conf"
    text = queues.read_text()
    queues.write_text("\n".join(row for row in text.splitlines() if not row.startswith("#include")) + "\n")
    with (config / "queues.yaml").open("a", encoding="utf-8") as file:
        file.write("  - {id: q_later, name: 新队列}\n")
    done = hotline.run("apply")
    assert done.returncode == 1
    assert "is absent" in done.stderr
    queues.write_text(text)
    assert city.pid() == pid
