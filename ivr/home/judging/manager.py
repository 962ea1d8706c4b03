"""Rules about Asterisk's manager interface (AMI), ours and a city's."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from ivr.home.settings import Settings
from ivr.home.settings_faults import SettingFault

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_OUT_OF_SECRET = re.compile(r"[^\x21-\x7e]|[\"\\;]|\$[{\[]|\A[#>]")
_LONGEST_SECRET = 128
_BANNER = b"Asterisk Call Manager"
_PATIENCE_S = 1.5


def user(settings: Settings) -> Iterator[SettingFault]:
    """Judge the name and the secret, which stand in Asterisk's ``manager.conf``."""
    if not _NAME.fullmatch(settings.ami_user) or settings.ami_user.lower() == "general":
        yield SettingFault(
            "IVR_AMI_USER",
            f"is {settings.ami_user!r}; write up to 64 letters, digits, _ . or -, and not `general`, or unset it.",
            f"的值为“{settings.ami_user}”；请写不超过 64 个字母、数字、_ . 或 -（不能是 general），或取消该设置。",
        )
    if _OUT_OF_SECRET.search(settings.ami_secret) or len(settings.ami_secret) > _LONGEST_SECRET:
        yield SettingFault(
            "IVR_AMI_SECRET",
            f"cannot stand in manager.conf; write up to {_LONGEST_SECRET} ASCII letters, digits and signs without "
            'blanks, " \\ ; ${ or $[, and not # or > at the beginning.',
            f'无法写入 manager.conf；请写不超过 {_LONGEST_SECRET} 个 ASCII 字母、数字和符号，不含空白、" \\ ; ${{ 和 $[，'
            "且不以 # 或 > 开头。",
        )


def host(settings: Settings) -> Iterator[SettingFault]:
    """Judge the address of AMI where Asterisk is ours: it listens on loopback alone."""
    if not settings.external_asterisk and settings.ami_host not in ("", "127.0.0.1", "localhost"):
        yield SettingFault(
            "IVR_AMI_HOST",
            f"is {settings.ami_host!r}, but our own Asterisk listens on 127.0.0.1; unset it, or set "
            "IVR_ASTERISK=external.",
            f"的值为“{settings.ami_host}”，但自带的 Asterisk 只在 127.0.0.1 上监听；"
            "请取消该设置，或设 IVR_ASTERISK=external。",
        )


def logs(settings: Settings) -> Iterator[SettingFault]:
    """Judge the log folder of a city's Asterisk, where lost calls are found again."""
    folder = Path(settings.asterisk_logs or "/var/log/asterisk")
    if settings.external_asterisk and not folder.is_dir():
        yield SettingFault(
            "IVR_ASTERISK_LOGS",
            f"names {folder}, which is no folder; write the log folder of the city's Asterisk (astlogdir).",
            f"所指的 {folder} 不是目录；请写城市 Asterisk 的日志目录（astlogdir）。",
        )


def answers(settings: Settings) -> Iterator[SettingFault]:
    """Judge whether a city's Asterisk is there to attach to."""
    if not settings.external_asterisk:
        return
    name, port = settings.ami_host or "127.0.0.1", settings.ami_port
    address = _resolved(name)
    if not address:
        yield SettingFault(
            "IVR_AMI_HOST",
            f"is {name!r}, which no name server knows; write the address of the city's Asterisk.",
            f"的值“{name}”无法解析；请写城市 Asterisk 的地址。",
        )
        return
    try:
        with socket.create_connection((address, port), _PATIENCE_S) as line:
            if not _greets(line):
                yield SettingFault(
                    "IVR_AMI_PORT",
                    f"is {port}, where {name} runs something other than Asterisk's manager interface; see its manager.conf.",
                    f"的值为 {port}，但 {name} 的该端口上不是 Asterisk 管理接口；请查看其 manager.conf。",
                )
    except OSError:
        yield SettingFault(
            "IVR_ASTERISK",
            f"is external, but no Asterisk answers on {name}:{port} (IVR_AMI_HOST, IVR_AMI_PORT); start it, and "
            "enable its manager.conf.",
            f"设为 external，但 {name}:{port}（IVR_AMI_HOST、IVR_AMI_PORT）上没有 Asterisk 响应；"
            "请启动它，并启用其 manager.conf。",
        )


def _greets(line: socket.socket) -> bool:
    """Tell whether what is at the other end may be Asterisk: one that is busy may say nothing for a while."""
    try:
        words = line.recv(len(_BANNER))
    except TimeoutError:
        return True
    return bool(words) and _BANNER.startswith(words)


def _resolved(name: str) -> str:
    """Return the IPv4 address of a name; empty where none is found in time."""
    found: list[str] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            found.append(str(socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]))

    asking = threading.Thread(target=ask, daemon=True)  # a name server that is away takes its time
    asking.start()
    asking.join(_PATIENCE_S)
    return found[0] if found else ""
