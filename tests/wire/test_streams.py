"""Any cutting of the byte stream gives the same messages; nothing in it stops the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.asterisk.agi.codec import HANGUP, AgiParser, AgiReply, AgiRequest, parse_reply
from ivr.asterisk.ami.codec import AmiParser, Message

DATA = Path(__file__).parent / "data"
MIXED = (DATA / "ami_mixed.bin").read_bytes()
AGI = (DATA / "agi_mixed.bin").read_bytes()

CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks, at, turn = [], 0, 0
    while at < len(data):
        chunks.append(data[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    return chunks


def ami(chunks: list[bytes], **options: Any) -> tuple[list[list[tuple[str, str]]], str]:
    parser = AmiParser(**options)
    messages = [message.items() for chunk in chunks for message in parser.feed(chunk)]
    return messages, parser.error.sentence if parser.error else parser.version


def agi(chunks: list[bytes]) -> list[Any]:
    parser = AgiParser()
    items = [item for chunk in chunks for item in parser.feed(chunk)]
    assert parser.error is None
    return [(item.env, item.args, item.query) if isinstance(item, AgiRequest) else item for item in items]


# -- AMI -------------------------------------------------------------------------------------
def test_the_mixed_packet_reads_as_a_person_would_read_it() -> None:
    parser = AmiParser()
    command, status, follows, booted, odd = parser.feed(MIXED)
    assert parser.version == "11.0.0"
    assert command.get_all("Output") == ["第一行: 有冒号", "", "第三行"]
    assert (command.response, command.action_id, command.name) == ("Success", "7", "")
    # A line feed inside a value stays inside it: no second event.
    assert status.name == "Status" and status.get("CallerIDName") == "来电者\nEvent: Hangup"
    assert status.get_all("ChanVariable") == ["A=1", "B=", "C=x: y"]
    assert status.get("ChanVariable") == "A=1" and status.get("AccountCode", "?") == ""
    assert follows.get_all("Output") == ["bare: line 1", "line 2"] and follows.success
    assert booted.name == "FullyBooted"
    assert odd.get("Empty", "?") == "" and odd.get("Missing", "?") == "?"
    assert status["calleridname"] == status.get("CALLERIDNAME") and "nothing" not in status


@given(CUTS)
def test_any_cutting_of_the_manager_stream_gives_the_same_messages(sizes: list[int]) -> None:
    assert ami(cut(MIXED, sizes)) == ami([MIXED])


HEADER = st.text(st.characters(codec="utf-8", exclude_characters="\r\n:"), min_size=1, max_size=12).map(
    lambda name: "X" + name.strip()
)
VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30)
EVENTS = st.lists(st.lists(st.tuples(HEADER, VALUE), max_size=6), min_size=1, max_size=6)


@given(EVENTS, CUTS)
@settings(max_examples=60)
def test_any_events_in_any_pieces_arrive_as_sent(
    events: list[list[tuple[str, str]]], sizes: list[int]
) -> None:
    sent = [[("Event", f"E{number}"), *headers] for number, headers in enumerate(events)]
    stream = "".join("".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n" for headers in sent)
    got, _ = ami(cut(stream.encode(), sizes), expect_banner=False)
    assert [sorted(message) for message in got] == [sorted(headers) for headers in sent]


@given(EVENTS)
@settings(max_examples=60)
def test_a_header_asked_for_is_the_one_a_full_reading_finds(events: list[list[tuple[str, str]]]) -> None:
    for headers in events:
        text = "\r\n".join(f"{k}: {v}" for k, v in [("Event", "E"), *headers])
        for name, _ in headers:
            full = Message(text)
            assert Message(text).get(name) == dict(reversed(full.items()))[name]
            assert Message(text).get(f"Not{name}", "none") == "none"
        assert Message(text).get("Event") == Message(text).get("EVENT") == "E"


def test_a_header_written_in_another_case_or_without_a_blank_is_found() -> None:
    text = "Event: UserEvent\r\nUNIQUEID: 1\r\nempty:\r\nLine: 税务"
    assert [Message(text).get(name, "?") for name in ("Uniqueid", "Empty", "line", "LINE", "None")] == [
        "1",
        "",
        "税务",
        "税务",
        "?",
    ]


@given(st.binary(max_size=300), CUTS)
def test_no_bytes_whatever_stop_the_manager_reader(noise: bytes, sizes: list[int]) -> None:
    stream = b"Asterisk Call Manager/11.0.0\r\n" + noise + b"\r\n\r\nEvent: Last\r\n\r\n"
    messages, _ = ami(cut(stream, sizes))
    assert messages == ami([stream])[0]
    assert messages[-1] == [("Event", "Last")]
    for message in messages:
        for _, value in message:
            value.encode("utf-8")


def test_a_name_that_is_not_utf8_costs_only_the_name() -> None:
    (message,) = AmiParser().feed((DATA / "ami_gbk_name.bin").read_bytes())
    assert message.get("Uniqueid") == "1" and "\N{REPLACEMENT CHARACTER}" in message.get("CallerIDName")


def test_another_program_on_the_managers_port_is_named() -> None:
    parser = AmiParser()
    assert parser.feed((DATA / "ami_not_asterisk.bin").read_bytes()) == []
    assert parser.error is not None and "not an Asterisk manager port" in parser.error.sentence


@given(CUTS)
def test_a_message_without_end_is_refused_and_what_came_before_is_kept(sizes: list[int]) -> None:
    good = b"Asterisk Call Manager/11.0.0\r\nEvent: Good\r\n\r\n"
    messages, error = ami(cut(good + b"Event: Bad\r\nX: " + b"x" * 2000, sizes), max_message=1000)
    assert messages == [[("Event", "Good")]] and "more than 1000 bytes" in error
    whole = good + b"Event: Bad\r\nX: " + b"x" * 2000 + b"\r\n\r\nEvent: After\r\n\r\n"
    messages, error = ami(cut(whole, sizes), max_message=1000)
    assert messages == [[("Event", "Good")]] and "more than 1000 bytes" in error


# -- AGI -------------------------------------------------------------------------------------
def test_the_mixed_conversation_reads_as_a_person_would_read_it() -> None:
    (env, args, query), *replies = agi([AGI])
    assert args == ["参数", ""] and query == {"line": "税务", "x": ""}
    assert env["agi_calleridname"] == "张三" and env["agi_accountcode"] == ""
    assert replies == [
        AgiReply(200, "1", "a=b (c)"),
        AgiReply(200, "", "timeout"),
        AgiReply(200, "1", "timeout", 4000),
        AgiReply(200, "-1", None, 123),
        AgiReply(200, "1", "first\nHANGUP\n200 result=9"),
        AgiReply(520, "", "Invalid command syntax.  Proper usage follows:\nUsage: ANSWER"),
        AgiReply(520, "", "Invalid command syntax.  Proper usage follows:\nglued."),
        AgiReply(520, "", "Invalid command syntax.  Proper usage not available."),
        AgiReply(510, "", "Invalid or unknown command"),
        AgiReply(200, "1", "speech", 9),
        HANGUP,
        AgiReply(511, "", "Command Not Permitted on a dead channel or intercept routine"),
        AgiReply(200, "0"),
    ]


@given(CUTS)
def test_any_cutting_of_a_conversation_gives_the_same_replies(sizes: list[int]) -> None:
    assert agi(cut(AGI, sizes)) == agi([AGI])


@given(st.text(st.characters(codec="utf-8"), max_size=40), CUTS)
def test_any_value_of_a_variable_is_read_as_it_is_and_shifts_nothing(value: str, sizes: list[int]) -> None:
    parser = AgiParser()
    parser.feed(b"agi_network: yes\n\n")
    sent = f"200 result=1 ({value})\n".encode() + b"200 result=7\n"
    items = [item for chunk in cut(sent, sizes) for item in parser.feed(chunk)]
    assert items[-1] == AgiReply(200, "7")
    if ")\n" not in value and "\n" not in value:
        assert items == [AgiReply(200, "1", value), AgiReply(200, "7")]


@given(st.binary(max_size=300), CUTS)
def test_no_bytes_whatever_stop_the_reader_of_replies(noise: bytes, sizes: list[int]) -> None:
    parser, other = AgiParser(), AgiParser()
    head = b"agi_network: yes\n\n"
    in_pieces = [item for chunk in cut(head + noise, sizes) for item in parser.feed(chunk)]
    at_once = other.feed(head + noise)
    assert in_pieces[1:] == at_once[1:]
    parse_reply(noise)


def test_a_forged_header_in_a_name_does_not_replace_the_real_one() -> None:
    ((env, args, _),) = agi([(DATA / "agi_forged_header.bin").read_bytes()])
    assert env["agi_uniqueid"] == "1795.1" and args == ["real"]


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02", b"\n\n", b"x"])
def test_a_port_scanner_is_told_from_a_call_at_its_first_bytes(start: bytes) -> None:
    parser = AgiParser()
    assert parser.feed(start) == []
    assert parser.error is not None and "not an AGI request" in parser.error.sentence


def test_a_request_may_hold_long_names_but_not_any_amount() -> None:
    parser = AgiParser()
    (item,) = parser.feed(
        b"agi_calleridname: " + "名".encode() * 1400 + b"\nagi_rdnis: " + b"9" * 4096 + b"\n\n"
    )
    assert isinstance(item, AgiRequest) and len(item.env["agi_calleridname"]) == 1400
    parser = AgiParser()
    parser.feed(b"agi_calleridname: ")
    for _ in range(70):
        parser.feed(b"x" * 1000)
    assert parser.error is not None and "65536" in parser.error.sentence


def test_a_name_cut_inside_a_character_keeps_the_rest() -> None:
    (item,) = AgiParser().feed(b"agi_calleridname: " + "来电者".encode()[:-1] + b"\n\n")
    assert isinstance(item, AgiRequest) and item.env["agi_calleridname"] == "来电"
