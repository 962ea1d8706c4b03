"""Run inside a network namespace of its own: load the shipped rules and count what gets through to the SIP port.

``unshare --net python -m tests.firewall.namespace RULES`` prints, as JSON, how many packets of each sender arrived.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import subprocess
import sys

SIP_PORT, RTP_PORT = 5060, 10000
SENT = 1000
STRANGER, OTHER, TRUNK, SEAT, GATEWAY = "127.0.0.9", "127.0.0.10", "127.0.0.2", "127.0.1.5", "127.0.2.7"
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def lo_up() -> None:
    """Bring the loopback up; a fresh namespace has it down."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def arrived(server: socket.socket, sender: str, packets: int, port: int = SIP_PORT) -> int:
    """Send from an address and return how many packets arrived."""
    came = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((sender, 0))
        for _ in range(packets):
            phone.sendto(b"OPTIONS", ("127.0.0.1", port))
            try:
                server.recv(100)  # on the loopback a packet is there or dropped once it is sent
                came += 1
            except BlockingIOError:
                continue
    return came


def main() -> None:
    """Load the rules as an administrator would, fill the sets, and send."""
    lo_up()
    subprocess.run(["nft", "-f", sys.argv[1]], check=True)
    subprocess.run(["nft", "-f", sys.argv[1]], check=True)  # loading it again is no fault
    for name, address in (("trunk", TRUNK), ("seats", "127.0.1.0/24"), ("voices", GATEWAY)):
        subprocess.run(["nft", "add", "element", "inet", "ivr12345", name, f"{{ {address} }}"], check=True)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice,
    ):
        server.bind(("127.0.0.1", SIP_PORT))
        server.setblocking(False)
        voice.bind(("127.0.0.1", RTP_PORT))
        voice.setblocking(False)
        found = {
            "stranger": arrived(server, STRANGER, SENT),
            "trunk": arrived(server, TRUNK, SENT),
            "seat": arrived(server, SEAT, SENT // 2),
            "another": arrived(server, OTHER, 5),
            "voice": [arrived(voice, sender, 50, RTP_PORT) for sender in (TRUNK, SEAT, GATEWAY, STRANGER)],
            "many": sum(arrived(server, f"127.9.{at >> 8}.{at & 255}", 1) for at in range(2 * SENT)),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
