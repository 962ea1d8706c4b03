"""Asterisk Manager Interface as pure code: bytes in, messages out; actions in, bytes out.

Frames are found in bytes and only whole messages are decoded, so a Chinese character that TCP
cut in two is whole again before anybody looks at it.  This module must never open a socket,
read a clock, or grow without bound.

Format (Asterisk 22, ``main/manager.c``): a banner line ``Asterisk Call Manager/x.y``, then
messages of ``Name: value`` lines ended by CRLF, each message ended by an empty line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from ivr.asterisk.ami.values import UnsafeValue, refuse_control, to_bytes
from ivr.errors import HotlineError

__all__ = ["MAX_MESSAGE", "AmiParser", "AmiProtocolError", "HeaderValue", "Message", "encode_action"]

MAX_MESSAGE: Final = 1 << 20
"""Bytes of one message.  The longest real ones (``Command`` output) stay far below."""

MAX_BANNER: Final = 256
MAX_LINE: Final = 1022
"""Bytes of one action line without CRLF: Asterisk reads into ``inbuf[1025]`` and answers
"line too long" without the ActionID, which would look like a lost response."""
MAX_HEADERS: Final = 128
"""``AST_MAX_MANHEADERS``."""

_BANNER: Final = b"Asterisk Call Manager/"
_END: Final = b"\r\n\r\n"
_EMPTY_LINES: Final = re.compile("(?:\r\n){3,}")

HeaderValue = str | int | float | Iterable[str]
"""A value of an action: a list repeats the header (``Variable``)."""


class AmiProtocolError(HotlineError):
    """The other end does not speak AMI, or a message is beyond all bounds."""

    code = "ami_protocol"
    retry = True


class Message:
    """One event or response.  Header names compare as Asterisk writes them, then without case.

    An engine looks at five headers out of twenty and at some events not at all, so the text is
    searched for the first few and taken apart only when more are wanted.

    Args:
        text: one message without its closing empty line.
    """

    __slots__ = ("_asked", "_headers", "_many", "_text", "name")

    def __init__(self, text: str) -> None:
        self._text = text
        self._headers: dict[str, str] | None = None
        self._many: dict[str, list[str]] | None  # with _headers
        self._asked = 0
        self.name: str
        """The event's name, ``''`` for a response."""
        if text.startswith("Event: "):
            end = text.find("\r\n")
            self.name = text[7:end] if end >= 0 else text[7:]
        else:
            self.name = self._all().get("Event", "")

    def _all(self) -> dict[str, str]:
        """Take the whole text apart, once."""
        headers = self._headers
        if headers is not None:
            return headers
        lines = self._text.split("\r\n")
        if not self._text.startswith("Response: Follows"):
            try:
                # C does the loop; the two rare cases (a line without ': ', a repeated header)
                # are noticed afterwards.
                headers = dict([line.split(": ", 1) for line in lines])
            except ValueError:
                headers = None
        self._many = None
        if headers is None or len(headers) != len(lines):
            headers, self._many = _parse_slowly(lines)
        self._headers = headers
        return headers

    @property
    def response(self) -> str:
        """``Success``, ``Error``, ``Follows``, ``Goodbye``, or ``''`` for an event."""
        return "" if self.name else self._all().get("Response", "")

    @property
    def action_id(self) -> str:
        """The ActionID this answers, or ``''``."""
        return self.get("ActionID") if "\r\nActionID: " in self._text else ""

    @property
    def success(self) -> bool:
        """Whether this is an event or a response that grants what was asked."""
        return bool(self.name) or self.response in ("Success", "Follows", "Goodbye")

    def get(self, header: str, default: str = "") -> str:
        """Return the first value of ``header``, or ``default``."""
        headers = self._headers
        if headers is None:
            self._asked += 1
            if self._asked <= _SEARCHES:
                text = self._text
                # A value never contains CRLF, so this finds a header and nothing else.
                start = text.find(_NEEDLES.get(header) or _needle(header))
                if start >= 0:
                    start += len(header) + 4
                    end = text.find("\r\n", start)
                    return text[start:end] if end >= 0 else text[start:]
                if not self._may_have(header):
                    return default
            headers = self._all()
        value = headers.get(header)
        if value is not None:
            return value
        key = self._find(header)
        return default if key is None else headers[key]

    def _may_have(self, header: str) -> bool:
        """Tell without taking the text apart that a header is missing, in whatever case."""
        text, name = self._text.lower(), f"{header.lower()}:"
        return f"\r\n{name}" in text or text.startswith(name)

    def get_all(self, header: str) -> list[str]:
        """Return every value of a header that may be repeated (ChanVariable, Output, Variable)."""
        headers = self._all()
        key = header if header in headers else self._find(header)
        if key is None:
            return []
        if self._many is not None and key in self._many:
            return list(self._many[key])
        return [headers[key]]

    def items(self) -> list[tuple[str, str]]:
        """Return every header with every value; repeated headers appear repeatedly."""
        headers = self._all()
        if self._many is None:
            return list(headers.items())
        return [(name, value) for name in headers for value in self.get_all(name)]

    def replacing(self, values: Mapping[str, str]) -> Message:
        """Return the message with other values of headers that it has."""
        lines = (line.partition(": ") for line in self._text.split("\r\n"))
        return Message("\r\n".join(f"{name}{colon}{values.get(name, rest)}" for name, colon, rest in lines))

    def _find(self, header: str) -> str | None:
        folded = header.lower()
        return next((name for name in self._all() if name.lower() == folded), None)

    def __getitem__(self, header: str) -> str:
        if header not in self:
            raise KeyError(header)
        return self.get(header)

    def __contains__(self, header: object) -> bool:
        return isinstance(header, str) and (header in self._all() or self._find(header) is not None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.items() == other.items()

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        return f"<Message {self.items()!r}>"

    # What programs written for panoramisk's Message read.
    @property
    def event(self) -> str:
        """The event's name, as panoramisk calls it."""
        return self.name

    @property
    def message(self) -> str:
        """The ``Message`` header of a response."""
        return self.get("Message")


_NEEDLES: Final[dict[str, str]] = {}
"""What to look for, by header name; programs ask for the same few over and over."""


def _needle(header: str) -> str:
    needle = f"\r\n{header}: "
    if len(_NEEDLES) < 512:
        _NEEDLES[header] = needle
    return needle


_SEARCHES: Final = 8
"""Headers searched for before the text is taken apart: the two cost about the same then."""

_FOLLOWS_HEADERS: Final = frozenset({"Response", "Privilege", "ActionID", "Message", "Output"})


def _parse_slowly(lines: list[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Read a message with repeated headers, odd lines, or the old raw ``Command`` output."""
    found: dict[str, list[str]] = {}
    follows = bool(lines) and lines[0] == "Response: Follows"
    raw_output = False
    for line in lines:
        name, colon, value = line.partition(":")
        if follows and (raw_output or name not in _FOLLOWS_HEADERS or not colon):
            # Until Asterisk 13 a command's output stood here bare, its lines ended by LF.
            raw_output = True
            output = line.removesuffix("--END COMMAND--").removesuffix("\n")
            if output:
                found.setdefault("Output", []).extend(output.split("\n"))
        elif colon:
            found.setdefault(name, []).append(value[1:] if value.startswith(" ") else value)
        elif line:
            found.setdefault("", []).append(line)
    headers = {name: values[0] for name, values in found.items()}
    return headers, {name: values for name, values in found.items() if len(values) > 1}


class AmiParser:
    """Cuts a byte stream into messages, however TCP cut it before.

    Args:
        expect_banner: whether the stream begins with Asterisk's banner.
        max_message: bytes one message may have.
    """

    __slots__ = ("_max", "_tail", "_waiting_banner", "error", "version")

    def __init__(self, *, expect_banner: bool = True, max_message: int = MAX_MESSAGE) -> None:
        self._tail = bytearray()
        self._max = max_message
        self._waiting_banner = expect_banner
        self.version = ""
        """The protocol version of the banner, ``''`` until it has come."""
        self.error: AmiProtocolError | None = None
        """Set once the stream cannot be trusted any more; nothing is read after it."""

    def feed(self, data: bytes) -> list[Message]:
        """Take what arrived and return the messages it completed, in order.

        Look at :attr:`error` afterwards: messages before the fault are still returned.
        """
        if self.error is not None:
            return []
        if self._waiting_banner:
            rest = self._read_banner(data)
            if not rest:
                return []
            data = rest
        tail = self._tail
        if tail:
            start = max(0, len(tail) - 3)
            tail += data
            if tail.find(_END, start) < 0:
                self._check_size(len(tail) - 3)
                return []
            data = bytes(tail)
            tail.clear()
        end = data.rfind(_END)
        # rfind may land one line late on "\r\n\r\n\r\n": an empty line more or less between
        # messages means nothing, and leading line ends are dropped below in either case.
        if end < 0:
            tail += data
            self._check_size(len(tail) - 3)
            return []
        tail += data[end + 4 :]
        messages = self._messages(data[:end])
        if self.error is None:
            self._check_size(len(tail) - 3)
        return messages

    def _messages(self, whole: bytes) -> list[Message]:
        if len(whole) > self._max:
            return self._messages_near_bound(whole)
        # A decoder with errors='replace' never swallows CR or LF, so decoding many whole
        # messages at once equals decoding each by itself, and is faster.
        text = whole.decode("utf-8", "replace")
        if "\r\n\r\n\r\n" in text or text.startswith("\r\n") or text.endswith("\r\n"):
            # Empty lines more or less between messages mean nothing.
            text = _EMPTY_LINES.sub("\r\n\r\n", text).removeprefix("\r\n\r\n")
            text = text.removeprefix("\r\n").removesuffix("\r\n\r\n").removesuffix("\r\n")
        return [Message(part) for part in text.split("\r\n\r\n")] if text else []

    def _messages_near_bound(self, whole: bytes) -> list[Message]:
        messages: list[Message] = []
        for part in whole.split(_END):
            self._check_size(len(part))
            if self.error is not None:
                break
            messages.extend(self._messages(part))
        return messages

    def _read_banner(self, data: bytes) -> bytes:
        self._tail += data
        line, end, rest = bytes(self._tail).partition(b"\n")
        prefix = min(len(line), len(_BANNER))
        if line[:prefix] != _BANNER[:prefix] or (end and prefix < len(_BANNER)) or len(line) > MAX_BANNER:
            shown = line[:40].decode("ascii", "replace").strip()
            self._fail(
                f"the other end is not an Asterisk manager port: it said {shown!r}",
                f"对端不是 Asterisk 管理端口：它发来 {shown!r}",
            )
            return b""
        if not end:
            return b""
        self._waiting_banner = False
        self.version = line[len(_BANNER) :].decode("ascii", "replace").strip()
        self._tail.clear()
        return rest

    def _check_size(self, size: int) -> None:
        if size > self._max:
            self._fail(
                f"a manager message of more than {self._max} bytes was refused; the link is dropped",
                f"AMI 消息超过 {self._max} 字节，已拒绝并断开连接",
            )

    def _fail(self, sentence: str, zh: str) -> None:
        self.error = AmiProtocolError(sentence, zh)
        self._tail.clear()


def encode_action(name: str, headers: Mapping[str, HeaderValue] | None = None) -> bytes:
    """Write one action.

    Args:
        name: the action (``QueueStatus``).
        headers: values in the order they are to be sent; a list repeats its header; put the
            ActionID first, so that Asterisk can name it in any complaint about the rest.

    Raises:
        UnsafeValue: CR, LF or NUL in a name or value, a name Asterisk would misread, a line
            or a number of headers beyond what Asterisk reads.
    """
    lines = [_line("Action", name)]
    for header, value in (headers or {}).items():
        if isinstance(value, str):
            lines.append(_line(header, value))
        elif isinstance(value, Iterable):
            lines.extend(_line(header, str(item)) for item in value)
        else:
            lines.append(_line(header, str(value)))
    if len(lines) > MAX_HEADERS:
        raise UnsafeValue(
            f"action {name} has {len(lines)} headers, Asterisk reads {MAX_HEADERS}",
            f"AMI 动作 {name} 有 {len(lines)} 个字段，超过 Asterisk 的上限 {MAX_HEADERS}",
        )
    return b"\r\n".join(lines) + _END


def _line(header: str, value: str) -> bytes:
    if not header or ":" in header or header != header.strip():
        raise UnsafeValue(f"{header!r} cannot be the name of an AMI header")
    line = to_bytes(refuse_control(f"{header}: {value}", f"AMI header {header[:40]!r}"), header)
    if len(line) > MAX_LINE:
        raise UnsafeValue(
            f"AMI header {header!r} has {len(line)} bytes, Asterisk reads {MAX_LINE}: shorten the value",
            f"AMI 字段 {header!r} 长 {len(line)} 字节，超过 Asterisk 的上限 {MAX_LINE}，请缩短",
        )
    return line
