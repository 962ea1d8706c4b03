"""What commands say of the room for callers: settings are no file of the folder, and count all the same."""

from __future__ import annotations

import contextlib
import resource
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from ivr.admission.capacity import WANTED_WAITING, capacity, pairs_for, pairs_of
from ivr.admission.room import max_files, room, wanted_files
from ivr.asterisk.install.instance import Instance
from ivr.cli.common import echo, language

if TYPE_CHECKING:
    from ivr.home.settings import Settings
    from ivr.hotline.book import HotlineBook


class Room(NamedTuple):
    """How many callers fit, and what to say of it; ``fits_seats`` is False where seats would ring in vain."""

    callers: int
    files: int
    fits_seats: bool
    english: str
    chinese: str

    def to_json(self) -> dict[str, Any]:
        """Return what ``ivr check --json`` prints."""
        severity = "advice" if self.fits_seats else "fault"
        advice = {"severity": severity, "sentence": self.english, "sentence_zh": self.chinese}
        return {
            "callers": self.callers,
            "file_handles": self.files,
            "advice": advice if self.english else None,
        }


def room_for(settings: Settings, book: HotlineBook) -> Room:
    """Judge the range of RTP ports and the file handles by what the seats and a long queue want."""
    seats, files = len(book.seats), _files(settings)
    held = room(settings.rtp_ports, book, None if settings.external_asterisk else files)
    wanted = seats + WANTED_WAITING
    fits = held.holds_all and held.callers >= seats
    first, last = settings.rtp_ports
    by_ports = capacity(pairs_of(first, last), seats)
    if held.callers >= wanted:
        return Room(held.callers, files, fits, "", "")
    if by_ports.callers > held.callers:
        english = f"a process may open {files} files (ulimit -n), which is room for {held.callers} callers"
        chinese = f"每个进程最多打开 {files} 个文件（ulimit -n），只够 {held.callers} 通来电"
        need = wanted_files(pairs_for(wanted, seats))
        mend = (
            f"allow {need} (LimitNOFILE=, limits.conf): {seats} seats and {WANTED_WAITING} waiting need that."
        )
        mend_zh = (
            f"请放宽到 {need}（LimitNOFILE= 或 limits.conf），才够 {seats} 个座席和 {WANTED_WAITING} 人等待。"
        )
    else:
        ports = 2 * pairs_for(wanted, seats)
        english = f"IVR_RTP_PORTS {first}-{last} is room for {held.callers} callers"
        chinese = f"IVR_RTP_PORTS {first}-{last} 只够 {held.callers} 通来电"
        mend = f"{seats} seats and {WANTED_WAITING} waiting need {ports} ports."
        mend_zh = f"{seats} 个座席和 {WANTED_WAITING} 人等待需要 {ports} 个端口。"
    if not fits:
        english, chinese = english + f", fewer than the {seats} seats", chinese + f"，少于 {seats} 个座席"
    return Room(held.callers, files, fits, f"{english}: {mend}", f"{chinese}；{mend_zh}")


def warn_if_seats_ring_in_vain(settings: Settings, book: HotlineBook) -> None:
    """Print a warning where not even the seats find their ports; the hotline runs all the same."""
    room = room_for(settings, book)
    if not room.fits_seats:
        echo(f"警告：{room.chinese}" if language() == "zh" else f"warning: {room.english}", err=True)


def _files(settings: Settings) -> int:
    """Return the file handles of the Asterisk that runs, else of one that would be started now."""
    with contextlib.suppress(psutil.Error):
        pid = Instance.laid_out(settings.asterisk_home, settings.run).pid()
        if pid is not None:
            return int(psutil.Process(pid).rlimit(resource.RLIMIT_NOFILE)[0])
    return max_files(pairs_of(*settings.rtp_ports))
