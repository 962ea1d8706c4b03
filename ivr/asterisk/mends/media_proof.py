"""Prove by a call whether an Asterisk carries media that begin anew: a throwaway instance, two RTP streams.

Between an A-law and a µ-law stream every packet is translated.  Three pieces are sent in a row: a stream, another that
begins anew with a lower sequence number, and the first again.  They pass in order, so once the last piece is heard, the
second was carried or dropped; no clock decides, and a machine that is too busy proves nothing.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import struct
import time
from enum import StrEnum
from pathlib import Path

from ivr.asterisk.install.instance import Instance, InstanceError
from ivr.asterisk.install.lint import free_port
from ivr.errors import HotlineError

MODULES = (
    "res_timing_timerfd", "res_sorcery_config", "res_pjproject", "res_rtp_asterisk", "res_rtp_multicast",
    "res_clioriginate", "bridge_simple", "chan_rtp", "app_dial", "codec_alaw", "codec_ulaw",
)  # fmt: skip
_RTP_PORTS = 40
_PACKETS = 12
_SAMPLES = 160
_FIRST, _ANEW, _AGAIN = 0xD5, 0x2A, 0x95
"""A-law samples of which the pieces are made: silence, as loud as can be, and between."""
_FOLDERS = {
    "astetcdir": "etc", "astvarlibdir": "lib", "astdbdir": "db", "astkeydir": "keys", "astdatadir": "data",
    "astagidir": "agi-bin", "astspooldir": "spool", "astlogdir": "log", "astcachedir": "cache",
}  # fmt: skip


class Media(StrEnum):
    """What becomes of a voice whose media begin anew."""

    CARRIED = "carried"
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class Unproved(HotlineError):
    """The proof could not be made; the sentence says why."""

    code = "media_unproved"


def missing(modules: Path) -> list[str]:
    """Return the modules that the proof needs and that are not there."""
    return [name for name in MODULES if not (modules / f"{name}.so").exists()]


def prove(instance: Instance, patience_s: float) -> Media:
    """Start a throwaway instance, let two streams through it, and end it.

    Args:
        instance: where it may lie; what lies there is removed, before and after.
        patience_s: seconds it may take to boot, and then to bridge and to be heard.

    Returns:
        Whether the second stream was carried.

    Raises:
        Unproved: it does not start, or nothing came through at all.
        OSError: the disk is full.
    """
    if lacking := missing(instance.installation.modules):
        raise Unproved(
            f"it lacks the modules {', '.join(lacking)}", f"缺少模块 {'、'.join(lacking)}", retry=False
        )
    instance.stop(at_once=True)
    _remove(instance)
    _configure(instance)
    try:
        instance.start()
        instance.wait_booted(patience_s)
        return _call(instance, time.monotonic() + patience_s)
    except (InstanceError, ConnectionError) as error:
        why, zh = (error.sentence, error.zh) if isinstance(error, InstanceError) else (str(error), str(error))
        raise Unproved(f"a throwaway one did not run ({why})", f"试运行失败（{zh}）", retry=True) from error
    finally:
        instance.stop(at_once=True)
        _remove(instance)


def _remove(instance: Instance) -> None:
    instance.remove()
    shutil.rmtree(instance.run, ignore_errors=True)


def _configure(instance: Instance) -> None:
    """Write the least with which two streams can be bridged; it listens nowhere but for them."""
    etc = instance.home / "etc"
    etc.mkdir(parents=True)
    first = min(free_port(), 65535 - _RTP_PORTS)
    folders = {name: instance.home / folder for name, folder in _FOLDERS.items()}
    folders |= {"astmoddir": instance.installation.modules, "astrundir": instance.run}
    files = {
        "asterisk.conf": "[directories]\n"
        + "".join(f"{name} => {folder}\n" for name, folder in folders.items())
        + "[options]\nnofork = yes\nquiet = yes\nhideconnect = yes\n",
        "modules.conf": "[modules]\nautoload = no\n" + "".join(f"load = {name}.so\n" for name in MODULES),
        "rtp.conf": f"[general]\nrtpstart = {first}\nrtpend = {first + _RTP_PORTS}\nstrictrtp = no\nicesupport = no\n",
        "logger.conf": "[general]\n[logfiles]\nmessages.log => warning,error\n",
        "cdr.conf": "[general]\nenable = no\n",
        "cel.conf": "[general]\nenable = no\n",
        "pjproject.conf": "",
    }
    for name, text in files.items():
        (etc / name).write_text(text, encoding="utf-8")


def _call(instance: Instance, deadline: float) -> Media:
    with _socket() as talking, _socket() as hearing:
        here, there = (one.getsockname()[1] for one in (talking, hearing))
        far = f"application Dial UnicastRTP/127.0.0.1:{there}/c(ulaw)"
        instance.command(f"channel originate UnicastRTP/127.0.0.1:{here}/c(alaw) {far}")
        talking.connect(("127.0.0.1", _port_of(instance, here, deadline)))
        number, heard = _send_until(_FIRST, 50000, talking, hearing, deadline)
        for n in range(_PACKETS):
            talking.send(_packet(_ANEW, 20000 + n, source=2))
            heard |= _heard(hearing)
        heard |= _send_until(_AGAIN, number, talking, hearing, deadline)[1]
    return Media.CARRIED if _ANEW in heard else Media.DROPPED


def _socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.settimeout(0.01)
    return opened


def _port_of(instance: Instance, here: int, deadline: float) -> int:
    """Return where Asterisk listens for the stream that it sends to our port."""
    name = f"UnicastRTP/127.0.0.1:{here}-"
    while time.monotonic() < deadline:
        channels = instance.command("core show channels concise").splitlines()
        for channel in (line.split("!")[0] for line in channels if line.startswith(name)):
            port = re.search(r"UNICASTRTP_LOCAL_PORT=(\d+)", instance.command(f"core show channel {channel}"))
            if port:
                return int(port[1])
        time.sleep(0.02)
    raise Unproved("a throwaway one bridged no call", "试运行的实例未能接通呼叫", retry=True)


def _packet(sample: int, number: int, source: int = 1) -> bytes:
    head = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * _SAMPLES & 0xFFFFFFFF, source)
    return head + bytes([sample]) * _SAMPLES


def _send_until(
    sample: int, number: int, talking: socket.socket, hearing: socket.socket, deadline: float
) -> tuple[int, set[int]]:
    """Send a piece, at least a whole one, until it is heard; return the next number and what was heard."""
    heard: set[int] = set()
    first = number
    while number < first + _PACKETS or sample not in heard:
        if time.monotonic() > deadline:
            raise Unproved("nothing came through a call", "呼叫中听不到任何声音", retry=True)
        talking.send(_packet(sample, number))
        number += 1
        heard |= _heard(hearing)
    return number, heard


def _heard(hearing: socket.socket) -> set[int]:
    """Return which pieces came, told by how loud they are (the segment of a µ-law sample, 0 to 7)."""
    heard = set()
    with contextlib.suppress(TimeoutError):
        while True:
            packet = hearing.recv(2048)
            if len(packet) > 12:
                segment = ~packet[12] >> 4 & 7
                heard.add(_FIRST if segment < 2 else _ANEW if segment > 5 else _AGAIN)
    return heard
