"""An Asterisk that drops media which begin anew is found out by a call, mended where it is ours, and told where not."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ivr.asterisk.install.instance import Instance
from ivr.asterisk.mends import media_restart, translator
from ivr.asterisk.mends.media_proof import Media, Unproved, prove
from ivr.asterisk.mends.media_restart import Workshop, examine
from ivr.asterisk.mends.translator import Code
from tests.asterisk.city import attached_to_a_city
from tests.asterisk.hotline import Hotline, running, wait_for
from tests.asterisk.old_asterisk import OldAsterisk
from tools.phones.patience import PATIENCE_S

pytestmark = pytest.mark.asterisk


@pytest.fixture
def old(tmp_path: Path) -> OldAsterisk:
    """An unpacked Asterisk as Debian ships it."""
    return OldAsterisk(tmp_path / "asterisk")


def workshop(folder: Path, ours: Path | None) -> Workshop:
    """Return a place for proofs."""
    return Workshop(
        folder / "media.json", folder / "home/asterisk-media", folder / "run-media", ours, PATIENCE_S
    )


def alarms(hotline: Hotline) -> dict[str, str]:
    """Return the sentence of each alarm that is up, by its kind."""
    return {row["alarm"]: row["sentence"] for row in hotline.engine("alarms")}


def test_an_asterisk_that_is_not_ours_is_judged_by_a_call_and_left_as_it_is(
    old: OldAsterisk, tmp_path: Path
) -> None:
    before = old.program.read_bytes()
    verdict = examine(old.found(), workshop(tmp_path, None), print)
    assert (verdict.media, verdict.mended) == (Media.DROPPED, False)
    assert old.program.read_bytes() == before
    assert not (tmp_path / "home/asterisk-media").exists(), "the throwaway one leaves nothing"


def test_our_copy_is_mended_and_proved_once(
    old: OldAsterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = workshop(tmp_path, old.program)
    told: list[str] = []
    verdict = examine(old.found(), shop, told.append)
    assert (verdict.media, verdict.mended) == (Media.CARRIED, True)
    assert len(told) == 1, "it takes a moment, and that is told"
    assert translator.look(old.program) is Code.MENDED
    monkeypatch.setattr(media_restart, "prove", lambda *_: pytest.fail("a warm start proves nothing again"))
    assert examine(old.found(), shop, told.append) == verdict
    assert len(told) == 1
    monkeypatch.undo()
    os.utime(old.program)  # somebody put another program there: it is looked at anew
    assert examine(old.found(), shop, told.append) == verdict
    assert len(told) == 2


@pytest.mark.parametrize("outcome", ["dropped", "unproved"])
def test_a_mended_copy_that_no_call_proves_never_takes_the_program_s_place(
    old: OldAsterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    before, seen = old.program.read_bytes(), []

    def prove(instance: Instance, _: float) -> Media:
        seen.append(Path(instance.installation.command[-1]))
        if outcome == "dropped":
            return Media.DROPPED
        raise Unproved("the machine is too busy", "机器繁忙", retry=True)

    monkeypatch.setattr(media_restart, "prove", prove)
    verdict = examine(old.found(), workshop(tmp_path, old.program), print)
    assert (verdict.media, verdict.mended) == (Media.DROPPED, False)
    assert seen != [old.program], "the copy was tried, not the program"
    assert old.program.read_bytes() == before
    assert not seen[0].exists()


def test_a_folder_that_cannot_be_written_is_told_and_keeps_nothing_from_starting(
    old: OldAsterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(old.program))

    monkeypatch.setattr(translator, "mend", closed)
    verdict = examine(old.found(), workshop(tmp_path, old.program), print)
    assert verdict.media is Media.DROPPED
    assert verdict.why == f"{old.program}: Permission denied"


def test_a_program_that_does_not_run_proves_nothing(old: OldAsterisk, tmp_path: Path) -> None:
    found = old.found()
    old.program.write_bytes(b"no program")
    (tmp_path / "home").mkdir()
    with pytest.raises(Unproved):
        prove(Instance(found, tmp_path / "home/asterisk-media", tmp_path / "run-media"), PATIENCE_S)


def test_two_set_ups_at_the_same_time_mend_an_old_cache_once(old: OldAsterisk, tmp_path: Path) -> None:
    hotlines = [
        Hotline(tmp_path / name, IVR_ASTERISK="unpacked", IVR_ASTERISK_ROOT=str(old.root))
        for name in ("one", "two")
    ]
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda hotline: hotline.run("setup"), hotlines)
    for done in (one, two):
        assert done.returncode == 0, done.stderr
        assert "(our copy, mended): a voice whose media begin anew in a talk is heard" in done.stdout
    assert (one.stderr + two.stderr).count("is taken out") == 1
    assert translator.look(old.program) is Code.MENDED
    hotlines[0].environment["IVR_LANGUAGE"] = "zh"
    assert "通话中重新开始的媒体流可正常收听" in hotlines[0].run("setup").stdout


def test_the_alarm_is_up_until_a_mended_asterisk_runs(tmp_path: Path) -> None:
    old = OldAsterisk(tmp_path / "asterisk", whole=False)
    with running(tmp_path, quick=True, IVR_ASTERISK="unpacked", IVR_ASTERISK_ROOT=str(old.root)) as hotline:
        assert translator.look(old.program) is Code.DROPS, "nothing could be proved, so nothing was mended"
        wait_for(
            lambda: "could not be mended" in alarms(hotline).get("asterisk_patched", ""), why=hotline.logs
        )

        old.complete()  # now it can be mended; the Asterisk that runs is kept, with its callers
        before = hotline.pid("asterisk")
        assert "(our copy, mended)" in hotline.run("setup").stdout
        os.kill(supervisor := int((hotline.home / "run/supervisor.pid").read_text()), signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(supervisor))
        started = hotline.run("up", "--detach")
        assert started.returncode == 0, started.stderr + hotline.logs()
        assert translator.look(old.program) is Code.MENDED
        assert hotline.pid("asterisk") == before
        assert "the one that runs was started before" in started.stderr
        wait_for(lambda: "asterisk_patched" in alarms(hotline), why=hotline.logs)

        assert hotline.run("down").returncode == 0
        hotline.up()
        wait_for(lambda: "asterisk_patched" not in alarms(hotline), why=hotline.logs)


def test_a_city_s_own_asterisk_is_found_out_without_a_call_on_it(
    old: OldAsterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old.program.read_bytes()
    monkeypatch.setenv("IVR_ASTERISK", "unpacked")
    monkeypatch.setenv("IVR_ASTERISK_ROOT", str(old.root))
    with attached_to_a_city(tmp_path) as (hotline, _, city):
        wait_for(lambda: "asterisk_patched" in alarms(hotline), why=hotline.logs)
        assert "install one without Debian's patch 2016_opus_plc" in alarms(hotline)["asterisk_patched"]
        assert "0 calls processed" in city.command("core show calls")
        assert old.program.read_bytes() == before, "a city's program is not ours to mend"
