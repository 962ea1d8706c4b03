"""Rules about ports and the address: each port its own, none of the system's, an address of this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections import defaultdict
from collections.abc import Iterator

from ivr.home.settings import Settings
from ivr.home.settings_faults import SettingFault

_FIRST_FREE = 1024  # below, ports belong to the system's own services (RFC 6335, section 6)


def each_its_own(settings: Settings) -> Iterator[SettingFault]:
    """Judge whether two settings name one TCP port."""
    users: dict[int, list[str]] = defaultdict(list)
    for setting, port in settings.ports().items():
        users[port].append(setting)
    for port, (first, *others) in users.items():
        for other in others:
            yield SettingFault(
                other,
                f"is {port}, the port of {first}; give each a port of its own.",
                f"的值 {port} 与 {first} 相同；请各用一个端口。",
            )


def privileged(settings: Settings, setting: str) -> Iterator[SettingFault]:
    """Judge whether the port of a setting belongs to the system's own services."""
    port = settings.ports()[setting]
    if port < _FIRST_FREE:
        yield SettingFault(
            setting,
            f"is {port}; ports below 1024 belong to the system's own services: write 1024 to 65535.",
            f"的值为 {port}；1024 以下的端口属于系统服务：请写 1024 至 65535。",
        )


def voice(settings: Settings) -> Iterator[SettingFault]:
    """Judge the ports of voice: Asterisk takes an even one and the next for each stream."""
    first, last = settings.rtp_ports
    if settings.external_asterisk:  # they stand in the city's own rtp.conf
        return
    if first <= settings.sip_port <= last:
        yield SettingFault(
            "IVR_RTP_PORTS",
            f"{first}-{last} holds the port of IVR_SIP_PORT, {settings.sip_port}; move one of them.",
            f"的范围 {first}-{last} 包含 IVR_SIP_PORT 的端口 {settings.sip_port}；请改其中之一。",
        )
    if first % 2:
        yield SettingFault(
            "IVR_RTP_PORTS",
            f"begins with {first}; a voice stream takes an even port and the next: begin with {first + 1}.",
            f"以 {first} 开头；每路语音占用一个偶数端口及其下一个：请以 {first + 1} 开头。",
        )


def bind(settings: Settings) -> Iterator[SettingFault]:
    """Judge whether the address is one of this machine."""
    if settings.external_asterisk:
        return
    address = ipaddress.IPv4Address(settings.bind)
    if not address.is_multicast:
        try:
            with socket.socket() as probe:
                probe.bind((settings.bind, 0))
            return
        except OSError:
            pass
    yield SettingFault(
        "IVR_BIND",
        f"is {settings.bind}, which is no address of this machine; `ip address` lists them; 0.0.0.0 stands for all.",
        f"的值 {settings.bind} 不是本机地址；可用 ip address 查看，0.0.0.0 表示全部地址。",
    )
