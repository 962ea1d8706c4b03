"""What may go on a wire to Asterisk, and what may not.

AMI and AGI are lines of text: a carriage return, a line feed or a NUL inside a value ends the
line and starts another header or another command.  Every value that reaches a wire passes
here.  This module must never let one of those three bytes through, and must never change a
value silently: ``refuse_control`` refuses, ``clean`` is called on purpose.
"""

from __future__ import annotations

import re

from ivr.errors import HotlineError

DEFAULT_LIMIT = 256
"""Characters kept by :func:`clean`; Asterisk itself cuts caller names at 80 bytes."""


class UnsafeValue(HotlineError):
    """A value that would inject a header or a command, or that Asterisk would cut in two."""

    code = "unsafe_value"


def refuse_control(value: str, what: str) -> str:
    """Return ``value`` unchanged if it can stand on one line of AMI or AGI.

    Args:
        value: text about to be written.
        what: name of the value, for the error.

    Raises:
        UnsafeValue: it contains CR, LF or NUL, or cannot be written as UTF-8.
    """
    if "\r" in value or "\n" in value or "\0" in value:
        raise UnsafeValue(
            f"{what} contains a line break or NUL and was not sent: {value[:60]!r}",
            f"{what} 含有换行或空字符，已拒绝发送：{value[:60]!r}",
        )
    return value


def to_bytes(value: str, what: str) -> bytes:
    """Encode one line as UTF-8.

    Raises:
        UnsafeValue: the text holds a lone surrogate, which no UTF-8 reader accepts.
    """
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnsafeValue(
            f"{what} contains half a character (lone surrogate) and was not sent",
            f"{what} 含有不完整的字符，已拒绝发送",
        ) from error


_REPLACED = str.maketrans(
    {
        **{code: " " for code in (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029)},
        **{code: "\N{REPLACEMENT CHARACTER}" for code in range(0xD800, 0xE000)},
        '"': "'",
        "\\": "/",
        # What opens an expression, a variable or a new argument in the dialplan.
        "$": "＄",
        "{": "｛",
        "}": "｝",
        "[": "［",
        "]": "］",
        ",": "，",
        ";": "；",
        "|": "｜",
    }
)


def clean(value: str, limit: int = DEFAULT_LIMIT) -> str:
    """Make a value from outside (a caller's name, a header) fit for AMI, AGI and dialplan.

    Control characters become spaces; a double quote becomes a single one and a backslash a
    slash; characters that mean something to the dialplan become their full-width twins, so
    that a person still reads the same text.  Do not use it on values the engine itself made.

    Args:
        value: any text.
        limit: characters kept, at least 1.
    """
    return value[: limit * 2].translate(_REPLACED).strip()[:limit]


_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unescape(value: str) -> str:
    r"""Undo the C escapes that AMI puts into caller names and variables, and AGI does not.

    Asterisk 22 writes ``张"三`` as ``张\"三`` in CallerIDName, ConnectedLineName and VarSet's
    Value (``ast_escape_c``); compare such a value with one from AGI only after this.
    """
    if "\\" not in value:
        return value
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), value, flags=re.DOTALL)


def cut_utf8(value: str, size: int) -> str:
    """Cut ``value`` to at most ``size`` bytes of UTF-8 without splitting a character."""
    raw = value.encode("utf-8", "replace")
    return value if len(raw) <= size else raw[: max(size, 0)].decode("utf-8", "ignore")
