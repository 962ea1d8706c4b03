"""Calls that Asterisk refuses for what stands in their INVITE are read in the packets, each once."""

from __future__ import annotations

import socket
import struct

import pytest

from ivr.asterisk.facts.refused_offers import RefusedOffers
from ivr.asterisk.facts.sip_capture import Packet, packets

G729 = "m=audio 4000 RTP/AVP 18 101\r\na=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
ALAW = "m=audio 4000 RTP/AVP 18 8\r\n"
DYNAMIC = "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\n"
FAX = "m=image 4000 udptl t38\r\n"


def invite(
    call: str = "c1", body: str = G729, to: str = "", who: str = "15400000001", dialled: str = "12345"
) -> bytes:
    return (
        f"INVITE sip:{dialled}@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\nf: <sip:{who}@10.0.0.1>;tag=a\r\n"
        f"To: <sip:12345@10.0.0.2>{to}\r\nCall-ID: {call}\r\nCSeq: 7 INVITE\r\n\r\n{body}"
    ).encode()


def answer(code: int, call: str = "c1", method: str = "INVITE") -> bytes:
    return (
        f"SIP/2.0 {code} No\r\nFrom: <sip:15400000001@10.0.0.1>;tag=a\r\nTo: <sip:12345@10.0.0.2>;tag=b\r\n"
        f"Call-ID: {call}\r\nCSeq: 7 {method}\r\n\r\n"
    ).encode()


def read(*messages: bytes, offers: RefusedOffers | None = None) -> list[tuple[str, str, str, str]]:
    """Let Asterisk send every answer and the carrier every request; return who, dialled, reason and trunk."""
    said = [Packet(100.0 + n, message.startswith(b"SIP"), message) for n, message in enumerate(messages)]
    rows = (offers or RefusedOffers()).read(said)
    return [(row.caller.partition(";")[0], row.dialled, row.reason, row.trunk) for row in rows]


CITIZEN = "<sip:15400000001@10.0.0.1>"


@pytest.mark.parametrize(
    ("code", "reason"),
    [(488, "no_codec"), (420, "extension"), (421, "extension"), (415, "bad_request"), (400, "bad_request")],
)
def test_a_refused_call_is_told_with_its_reason(code: int, reason: str) -> None:
    assert read(invite(), answer(100), answer(code)) == [(CITIZEN, "12345", reason, "trunk")]


@pytest.mark.parametrize("code", [200, 180, 183, 401, 404, 482, 486, 503])
def test_what_is_no_refusal_or_is_told_elsewhere_is_passed_over(code: int) -> None:
    assert read(invite(), answer(code)) == []


@pytest.mark.parametrize("body", [ALAW, DYNAMIC, FAX + ALAW, "", FAX])
def test_a_488_to_an_offer_that_we_speak_is_a_want_of_ports(body: str) -> None:
    assert read(invite(body=body), answer(488)) == []


def test_a_call_is_told_once_however_often_its_answer_is_given() -> None:
    offers = RefusedOffers()
    assert len(read(invite(), invite(), answer(488), offers=offers)) == 1
    assert read(invite(), answer(488), offers=offers) == [], "the answer was lost"
    assert len(read(invite("c2"), answer(488, "c2"), offers=offers)) == 1


def test_an_answer_in_the_next_file_is_matched_with_its_invite() -> None:
    offers = RefusedOffers()
    assert read(invite(), offers=offers) == []
    assert len(read(answer(420), offers=offers)) == 1


def test_a_change_within_a_call_refuses_nobody() -> None:
    assert read(invite(to=";tag=b"), answer(488)) == []
    assert read(answer(488)) == []
    assert read(invite(), answer(200), answer(488, method="UPDATE")) == []


def test_a_seat_is_told_as_the_seat_that_it_is() -> None:
    assert read(invite(who="seat01"), answer(488))[0][3] == "seat01"


def test_what_was_dialled_is_kept_harmless() -> None:
    [(_, dialled, _, _)] = read(invite(dialled='12345;x=%0d`"$(id)' + "9" * 99), answer(488))
    assert dialled == "12345;x=0did" + "9" * 28


# -- the file ----------------------------------------------------------------------------------
def record(message: bytes, source: str = "", destination: str = "", at: float = 100.5) -> bytes:
    """One packet as Asterisk writes it: only the other side's address is known."""
    family = socket.AF_INET6 if ":" in source + destination else socket.AF_INET
    nobody = bytes(16 if family == socket.AF_INET6 else 4)
    ends = b"".join(socket.inet_pton(family, end) if end else nobody for end in (source, destination))
    v6 = family == socket.AF_INET6
    frame = (
        bytes(12) + (b"\x86\xdd" if v6 else b"\x08\x00") + bytes(8 if v6 else 12) + ends + bytes(8) + message
    )
    return struct.pack("=IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame


HEAD = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


def test_a_file_of_packets_is_read_and_what_is_cut_short_is_passed_over() -> None:
    data = (
        HEAD + record(b"INVITE", source="10.0.0.1") + record(b"SIP/2.0", destination="2001:db8::1", at=101.25)
    )
    told = [Packet(100.5, False, b"INVITE"), Packet(101.25, True, b"SIP/2.0")]
    assert list(packets(data)) == told
    assert list(packets(data + record(b"CUT", source="10.0.0.1")[:-1])) == told
    assert list(packets(b"")) == list(packets(HEAD)) == list(packets(HEAD + b"x" * 500)) == []


def test_what_is_kept_of_a_call_is_small_however_large_its_invite() -> None:
    offers = RefusedOffers()
    read(invite(body="x" * 60_000), offers=offers)
    (kept,) = offers._invites.values()
    assert len(str(kept)) < 1_000
