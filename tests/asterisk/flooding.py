"""Strangers with a great many packets, on loopback and never many thousands."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

STRANGER = "127.0.0.9"


def packet(method: str, port: int, number: int, user: str = "100", extra: str = "") -> bytes:
    """Return one SIP request of a stranger."""
    return (
        f"{method} sip:{user}@127.0.0.1:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {STRANGER}:5555;rport;branch=z9hG4bK{number}\r\n"
        f"From: <sip:{user}@{STRANGER}>;tag={number}\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: {number}\r\n"
        f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:{user}@{STRANGER}:5555>\r\n{extra}"
        "Content-Length: 0\r\n\r\n"
    ).encode()


WRONG = (
    'Authorization: Digest username="seat05",realm="asterisk",nonce="1/abc",uri="sip:127.0.0.1",'
    f'response="{"0" * 32}",algorithm=MD5\r\n'
)


def flood(port: int, method: str, packets: int, user: str = "100", extra: str = "") -> None:
    """Send as fast as this machine can, in bursts that its buffers hold."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((STRANGER, 0))
        for number in range(packets):
            stranger.sendto(packet(method, port, number, user, extra), ("127.0.0.1", port))
            if number % 100 == 99:
                time.sleep(0.005)


FORGED = b"[2026-11-27 17:00:00.000] NOTICE[1] res_pjsip: Request from 198.51.100.1 failed"


def nonsense(port: int) -> Iterator[bytes]:
    """Yield what is no SIP, or nearly, and what would be a log line of its own."""
    yield from (b"\x00" * 100, b"A" * 40_000, os.urandom(1000))
    yield b"FOO \x1b[31m\r\n" + FORGED + b"\r\n\r\n"
    yield b"INVITE sip:a@b SIP/2.0\r\nVia: \x1b[2J\r\nFrom: <<\n" + FORGED + b"\r\nContent-Length: 0\r\n\r\n"
    methods = ("OPTIONS", "INVITE", "REGISTER", "CANCEL", "BYE", "ACK", "SUBSCRIBE", "PUBLISH", "FOO")
    for number, method in enumerate(methods):
        good = packet(method, port, number)
        yield good
        yield good.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1)
        yield good.replace(b"CSeq: 1 ", b"CSeq: 1 X")
        yield good.replace(b"From: <sip:100", b"From: \x1b]0;x\x07<tel:1")
        yield good.replace(b"Max-Forwards: 70", b"Require: foo")
        yield packet(method, port, number, "seat05", WRONG)
        yield packet(method, port, number, "trunk", "Event: presence\r\nExpires: 9\r\n")
    for code in (100, 200, 401, 699):
        yield packet("INVITE", port, code).replace(
            f"INVITE sip:100@127.0.0.1:{port} SIP/2.0".encode(), b"SIP/2.0 %d X" % code
        )
