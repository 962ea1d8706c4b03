"""No value, whatever it holds, becomes a second header, action or command in Asterisk."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.asterisk.agi.codec import MAX_COMMAND, encode_command
from ivr.asterisk.agi.session import _fitting
from ivr.asterisk.ami.codec import encode_action
from ivr.asterisk.ami.values import UnsafeValue, clean, unescape
from tests.wire.wire_kit import read_actions, read_commands

NASTY = st.text(
    st.one_of(st.sampled_from(list("\r\n\0\"'\\ ,;:|$[]{}()=\t\x7f\u2028\ud800")), st.characters()),
    max_size=60,
)
"""Any text at all, rich in what means something to Asterisk; lone surrogates included."""


@given(NASTY, NASTY)
@settings(max_examples=300)
def test_no_value_injects_a_header_or_an_action(name: str, value: str) -> None:
    try:
        data = encode_action("Setvar", {"ActionID": "1", name: value, "Last": "x"})
    except UnsafeValue:
        return
    (headers,) = read_actions(data)
    assert headers == [
        ("Action", "Setvar"),
        ("ActionID", "1"),
        (name, value.lstrip(" ")),
        ("Last", "x"),
    ]


@given(NASTY)
def test_a_value_is_refused_only_if_it_cannot_stand_on_a_line(value: str) -> None:
    sendable = not set(value) & set("\r\n\0") and value.isprintable()
    if sendable:
        encode_action("Setvar", {"Value": value})
        encode_command("SET", "VARIABLE", "X", value)


@given(st.lists(NASTY, max_size=5))
@settings(max_examples=300)
def test_no_word_injects_a_command(words: list[str]) -> None:
    try:
        data = encode_command("SET", "VARIABLE", *words)
    except UnsafeValue:
        return
    for size in (2048, 8192):
        assert read_commands(data + b"NOOP\n", size) == [
            [b"SET", b"VARIABLE", *(word.encode() for word in words)],
            [b"NOOP"],
        ]


@given(NASTY, st.integers(0, 4000))
@settings(max_examples=200)
def test_a_strange_or_long_name_becomes_a_variable_and_nothing_else(name: str, repeat: int) -> None:
    value = name * (repeat // max(1, len(name)))
    fitted = _fitting("IVR_CALLER_NAME", value)
    data = encode_command("SET", "VARIABLE", "IVR_CALLER_NAME", fitted)
    assert len(data) <= MAX_COMMAND + 1
    assert read_commands(data + b"NOOP\n") == [
        [b"SET", b"VARIABLE", b"IVR_CALLER_NAME", fitted.encode()],
        [b"NOOP"],
    ]
    if not set(value) & set("\r\n\0\ud800") and len(value.encode("utf-8", "replace")) < 800:
        assert fitted == value or any(0xD800 <= ord(c) < 0xE000 for c in value)


def test_a_longer_line_would_have_become_two_commands() -> None:
    line = b'SET VARIABLE X "' + b"x" * (2047 - 16) + b"HANGUP\n"
    assert read_commands(line)[-1] == [b"HANGUP"]
    with pytest.raises(UnsafeValue, match="2046"):
        encode_command("SET", "VARIABLE", "X", "x" * 3000)


def test_a_longer_header_would_have_been_dropped_without_its_action_id() -> None:
    encode_action("Setvar", {"Value": "x" * 1015})
    with pytest.raises(UnsafeValue, match="1022"):
        encode_action("Setvar", {"Value": "x" * 1016})
    with pytest.raises(UnsafeValue, match="128"):
        encode_action("Originate", {"Variable": ["A=1"] * 200})


def test_a_list_repeats_its_header() -> None:
    (headers,) = read_actions(encode_action("Originate", {"Variable": ["A=1", "B=2"], "Timeout": 30}))
    assert headers[1:] == [("Variable", "A=1"), ("Variable", "B=2"), ("Timeout", "30")]


@given(NASTY, st.integers(1, 40))
def test_a_cleaned_value_passes_every_wire(value: str, limit: int) -> None:
    cleaned = clean(value, limit)
    assert len(cleaned) <= limit and not set(cleaned) & set('\r\n\0"\\$[]{},;|')
    encode_action("Setvar", {"Value": cleaned})
    encode_command("SET", "VARIABLE", "X", cleaned)


def test_a_cleaned_name_still_reads_the_same() -> None:
    assert clean('张"三"\r\n(办公室) ${EXTEN}') == "张'三'  (办公室) ＄｛EXTEN｝"


def test_a_name_escaped_by_the_manager_equals_the_one_from_agi() -> None:
    assert unescape("张\\\"三\\' \\\\ \\n") == "张\"三' \\ \n"
