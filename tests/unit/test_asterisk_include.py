"""``ivr asterisk include`` is for a city's own Asterisk and leaves ours alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ivr.cli.process import asterisk

SHIPPED = Path(__file__).parents[2] / "queues"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The link to the files of our own Asterisk, which was started before."""
    monkeypatch.setenv("IVR_HOME", str(tmp_path))
    monkeypatch.setenv("IVR_CONFIG", str(SHIPPED))
    monkeypatch.delenv("IVR_ASTERISK", raising=False)
    link = tmp_path / "asterisk/etc"
    (tmp_path / "asterisk/rendered/whole").mkdir(parents=True)
    (tmp_path / "asterisk/rendered/whole/asterisk.conf").touch()
    link.symlink_to("rendered/whole")
    return link


def test_our_own_asterisk_keeps_its_files_and_could_start_again(etc: Path) -> None:
    done = CliRunner().invoke(asterisk, ["include"])
    assert done.exit_code == 1
    assert "IVR_ASTERISK=external" in done.output
    assert (etc / "asterisk.conf").exists()


def test_for_a_citys_asterisk_the_lines_are_printed(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_ASTERISK", "external")
    done = CliRunner().invoke(asterisk, ["include"])
    assert done.exit_code == 0, done.output
    assert f"#include {etc}/ivr12345/extensions.conf" in done.output
