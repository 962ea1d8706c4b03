"""Which ffmpeg converts people's files: the machine's own, else the one that set-up installed.

A machine's own is taken first because its distribution mends its faults; ours is always there.
"""

from __future__ import annotations

import shutil

from ivr.errors import HotlineError


class FfmpegMissing(HotlineError):
    """A format has to be converted and there is no ffmpeg."""

    code = "ffmpeg_missing"


def program() -> str:
    """Return the path of an ffmpeg that can be run.

    Raises:
        FfmpegMissing: none is installed, and none is shipped for this kind of machine.
    """
    return shutil.which("ffmpeg") or shipped()


def shipped() -> str:
    """Return the path of the ffmpeg that came with the Python packages.

    Raises:
        FfmpegMissing: it was not installed, or there is none for this kind of machine.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise FfmpegMissing(
            "ffmpeg is needed for this and is not there: run `make setup` again, or apt-get install ffmpeg "
            "(or bring the recording as wav, 8000 Hz, 16 bit, mono).",
            "此操作需要 ffmpeg：请重新执行 make setup，或执行 apt-get install ffmpeg"
            "（也可直接提供 8000 Hz、16 位、单声道 wav 文件）。",
        ) from error
