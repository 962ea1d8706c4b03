"""A disk that fills is an alarm before callers lose anything."""

from __future__ import annotations

from pathlib import Path

from ivr.home.disk import DISK_FULL, disk_faults


def test_a_disk_with_little_left_is_told_once_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    folders = [tmp_path, tmp_path / "recordings", tmp_path / "gone"]
    (fault,) = disk_faults(folders, low=1 << 60)
    assert (fault.alarm, fault.about) == (DISK_FULL, str(tmp_path))
    assert "make room" in fault.sentence
    assert "清理" in fault.sentence_zh
    assert disk_faults(folders, low=0) == []
