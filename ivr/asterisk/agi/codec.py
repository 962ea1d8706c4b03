"""The Asterisk Gateway Interface as pure code: bytes in, requests and replies out.

Written after what Asterisk 22 does (``res/res_agi.c``): the request is a block of
``agi_name: value`` lines; then each command line gets one reply; ``HANGUP`` may stand between
any two lines.  This module must never touch a socket, grow without bound, let a value become a
second command, or let one reply be taken for another's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from ivr.asterisk.ami.values import UnsafeValue, clean, refuse_control, to_bytes
from ivr.errors import HotlineError

__all__ = [
    "HANGUP",
    "MAX_COMMAND",
    "AgiParser",
    "AgiProtocolError",
    "AgiReply",
    "AgiRequest",
    "Hangup",
    "UnsafeValue",
    "clean",
    "encode_command",
    "parse_reply",
    "parse_request",
]

MAX_HEADERS: Final = 64 * 1024
"""Bytes of a request; sixteen names of 4 KB still fit."""

MAX_REPLY: Final = 64 * 1024
MAX_COMMAND: Final = 2046
"""Bytes of one command without its line end.  Asterisk reads into ``buf[AGI_BUF_LEN]``: of a
longer line it carries out the beginning **and takes the rest for the next command**.  The size
was 2048 for many years and is 8192 in 22.10 (measured: 8190 bytes pass, of 8191 the line end
became a command and every later reply was off by one); the smaller holds everywhere."""

MAX_WORDS: Final = 100
"""``MAX_ARGS`` is 128 and quoted words are not checked against it."""


class AgiProtocolError(HotlineError):
    """The other end does not speak AGI, or said more than it may."""

    code = "agi_protocol"


class AgiReply(NamedTuple):
    """Asterisk's answer to one command.

    ``code`` is 200, 510 (no such command), 511 (dead channel) or 520 (wrong usage);
    ``result`` what follows ``result=``; ``data`` what stands in parentheses (a variable's
    value, ``timeout``) or, for other codes than 200, the sentence; ``endpos`` the sample at
    which playback or recording ended.
    """

    code: int
    result: str = ""
    data: str | None = None
    endpos: int | None = None


class Hangup:
    """The line ``HANGUP``: the caller is gone; it answers no command."""

    __slots__ = ()


HANGUP: Final = Hangup()


@dataclass(slots=True)
class AgiRequest:
    """What Asterisk says about the call before the first command."""

    env: dict[str, str]
    block: bytes
    """The whole request as received."""
    script: str = ""
    """Path of the URL without its leading slash, without the query."""
    query: dict[str, str] = field(default_factory=dict)
    args: list[str] = field(default_factory=list)
    """``agi_arg_1`` … in order."""

    @property
    def raw(self) -> dict[str, bytes]:
        """Values exactly as received, for those that had to be guessed."""
        return _raw_headers(self.block)


# Asterisk writes these before the caller's name and the rest after it.  Should a caller ever
# smuggle a line end into a name, the forged lines stand between the two: take the first of the
# former and the last of the latter.
_BEFORE_NAME: Final = frozenset(
    {
        "agi_network",
        "agi_network_script",
        "agi_request",
        "agi_channel",
        "agi_language",
        "agi_type",
        "agi_uniqueid",
        "agi_version",
        "agi_callerid",
        "agi_calleridname",
    }
)


def decode(raw: bytes) -> str:
    """Read a value that is UTF-8, or GB18030 from an old PBX, or neither.

    A UTF-8 text that was cut in the middle of its last character loses only that character.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        head = raw[: error.start]
        if error.reason == "unexpected end of data" and not head.isascii():
            return head.decode("utf-8")
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


def parse_request(block: bytes) -> AgiRequest:
    """Read the header block, without its closing empty line."""
    env = _env_at_once(block) or {name: decode(value) for name, value in _raw_headers(block).items()}
    path, _, query = env.get("agi_network_script", "").partition("?")
    request = AgiRequest(env, block, path.lstrip("/"))
    if query:
        request.query = dict(parse_qsl(query, keep_blank_values=True))
    number = 1
    while (argument := env.get(f"agi_arg_{number}")) is not None:
        request.args.append(argument)
        number += 1
    return request


def _env_at_once(block: bytes) -> dict[str, str] | None:
    """Read a block in which nothing is odd; None if anything is."""
    try:
        lines = block.decode("utf-8").split("\n")
        env = dict([line.split(": ", 1) for line in lines])
    except ValueError:  # not UTF-8, or a line that is no header
        return None
    return env if len(env) == len(lines) and b"\r" not in block else None


def _raw_headers(block: bytes) -> dict[str, bytes]:
    raw: dict[str, bytes] = {}
    for line in block.split(b"\n"):
        name_raw, colon, value = line.removesuffix(b"\r").partition(b":")
        name = name_raw.decode("utf-8", "replace")
        if colon and not (name in raw and name in _BEFORE_NAME):
            raw[name] = value.removeprefix(b" ")
    return raw


_PLAIN: Final = re.compile(rb"200 result=(\S*)")
_WITH_DATA: Final = re.compile(rb"200 result=(\S*) \((.*)\)(?: endpos=(-?\d+)(?: .*)?)?", re.DOTALL)
_WITH_ENDPOS: Final = re.compile(rb"200 result=(\S*) endpos=(-?\d+).*")
_CODE: Final = re.compile(rb"([1-9]\d\d)([ -])(.*)", re.DOTALL)
_END_OF_USAGE: Final = b"520 End of proper usage."


def parse_reply(line: bytes) -> AgiReply | None:
    """Read one whole reply without its line end.

    A parenthesis inside the data belongs to it: the data ends at the last one.  Nothing in the
    data has a meaning here: ``(hangup)`` is the value of a variable like any other.

    Returns:
        The reply, or None if this is no reply at all.
    """
    if match := _PLAIN.fullmatch(line):
        return AgiReply(200, match[1].decode("utf-8", "replace"))
    # A variable's value ends with the line's last ')', even if it contains ") endpos=5".
    if line.endswith(b")"):
        if match := _VALUE.fullmatch(line):
            return AgiReply(200, decode(match[1]), decode(match[2]))
    elif match := _WITH_DATA.fullmatch(line):
        endpos = None if match[3] is None else int(match[3])
        return AgiReply(200, decode(match[1]), decode(match[2]), endpos)
    if match := _WITH_ENDPOS.fullmatch(line):
        return AgiReply(200, decode(match[1]), None, int(match[2]))
    if match := _CODE.fullmatch(line):
        return AgiReply(int(match[1]), "", decode(match[3]))
    return None


_VALUE: Final = re.compile(rb"200 result=(\S*) \((.*)\)", re.DOTALL)


_COMMON: Final = {b"200 result=%d\n" % number: AgiReply(200, str(number)) for number in (0, 1, -1)}


class AgiParser:
    """Cuts a byte stream into one request and then replies, however TCP cut it before."""

    __slots__ = ("_buffer", "_open", "_requested", "error")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._open: list[bytes] = []
        """Lines of a reply that is not complete yet (520 usage, a value with a line feed)."""
        self._requested = False
        self.error: AgiProtocolError | None = None

    def feed(self, data: bytes) -> list[AgiRequest | AgiReply | Hangup]:
        """Take what arrived and return what it completed; look at :attr:`error` afterwards."""
        if self.error is not None:
            return []
        if self._requested and not self._buffer and not self._open:
            # Nearly every read is exactly one short reply, and half of them are these.
            if (known := _COMMON.get(data)) is not None:
                return [known]
            end = data.find(b"\n")
            if end == len(data) - 1 and end <= MAX_REPLY:
                item = self._read_line(data[:end])
                return [] if item is None else [item]
        if not (self._requested or self._buffer) and _is_whole_request(data):
            self._requested = True
            return [parse_request(data[:-2])]
        self._buffer += data
        found: list[AgiRequest | AgiReply | Hangup] = []
        if not self._requested:
            request = self._take_request(len(data))
            if request is None:
                return found
            found.append(request)
        self._take_lines(found)
        return found

    def _take_request(self, fresh: int) -> AgiRequest | None:
        buffer = self._buffer
        prefix = min(len(buffer), 4)
        if buffer[:prefix] != b"agi_"[:prefix]:
            shown = bytes(buffer[:24])
            self._fail(f"not an AGI request: it began with {shown!r}")
            return None
        end = buffer.find(b"\n\n", max(0, len(buffer) - fresh - 1))
        if (end if end >= 0 else len(buffer)) > MAX_HEADERS:
            self._fail(f"an AGI request of more than {MAX_HEADERS} bytes")
            return None
        if end < 0:
            return None
        block = bytes(buffer[:end])
        del buffer[: end + 2]
        self._requested = True
        return parse_request(block)

    def _take_lines(self, found: list[AgiRequest | AgiReply | Hangup]) -> None:
        if b"\n" not in self._buffer:
            self._check_size(len(self._buffer))
            return
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer[:] = rest
        for line in lines:
            if (item := self._read_line(line)) is not None:
                found.append(item)
        self._check_size(len(rest))

    def _read_line(self, line: bytes) -> AgiReply | Hangup | None:
        if self._open:
            return self._continue(line)
        if line.startswith(b"200 result=1 (") and line.endswith(b")"):
            return AgiReply(200, "1", decode(line[14:-1]))  # a variable's value
        if line == b"HANGUP":
            return HANGUP
        if line.startswith(b"520-") or _opens_value(line):
            self._open = [line]
            # Usage without a last line end glues the closing sentence to it.
            return self._close_usage() if line.endswith(_END_OF_USAGE) else None
        reply = parse_reply(line.removesuffix(b"\r"))
        # "100 Trying" announces a reply and is none; a line that is nothing answers nothing.
        return None if reply is None or reply.code < 200 else reply

    def _continue(self, line: bytes) -> AgiReply | None:
        self._open.append(line)
        self._check_size(sum(map(len, self._open)))
        if self._open[0].startswith(b"520-"):
            return self._close_usage() if line.endswith(_END_OF_USAGE) else None
        if not line.endswith(b")"):
            return None
        whole, self._open = b"\n".join(self._open), []
        return parse_reply(whole)

    def _close_usage(self) -> AgiReply:
        text = decode(b"\n".join(self._open)[4:]).removesuffix(_END_OF_USAGE.decode()).strip()
        self._open = []
        return AgiReply(520, "", text)

    def _check_size(self, size: int) -> None:
        if size > MAX_REPLY:
            self._fail(f"an AGI reply of more than {MAX_REPLY} bytes")

    def _fail(self, sentence: str) -> None:
        self.error = AgiProtocolError(sentence)
        self._buffer.clear()
        self._open = []


def _is_whole_request(data: bytes) -> bool:
    """Whether one read brought the request and nothing else, as it nearly always does."""
    return data.startswith(b"agi_") and len(data) <= MAX_HEADERS and data.find(b"\n\n") == len(data) - 2


def _opens_value(line: bytes) -> bool:
    """Whether a reply's parenthesis is still open: a variable's value contains a line feed."""
    if not line.startswith(b"200 result=") or line.endswith(b")"):
        return False
    _, space, rest = line[11:].partition(b" ")
    return bool(space) and rest.startswith(b"(") and not _WITH_DATA.fullmatch(line)


_BARE: Final = re.compile(r"[A-Za-z0-9_./:@=+*#-]+")


def encode_command(*words: str) -> bytes:
    """Write one command; every word arrives in Asterisk as exactly one word.

    Asterisk's ``parse_args`` splits at blanks outside double quotes and takes the character
    after a backslash as it is, inside quotes and outside.

    Raises:
        UnsafeValue: CR, LF or NUL in a word, too many words, or a line that Asterisk would
            cut in two commands.
    """
    if not words or len(words) > MAX_WORDS:
        raise UnsafeValue(f"an AGI command has 1 to {MAX_WORDS} words, not {len(words)}")
    line = " ".join(
        [word if word.isidentifier() or _BARE.fullmatch(word) else _quote(word) for word in words]
    )
    try:
        data = line.encode("utf-8")
    except UnicodeEncodeError:
        data = to_bytes(line, f"AGI command {words[0][:40]!r}")
    if len(data) > MAX_COMMAND:
        raise UnsafeValue(
            f"AGI command {words[0][:40]!r} has {len(data)} bytes, Asterisk reads {MAX_COMMAND}: "
            "shorten the value",
            f"AGI 命令 {words[0][:40]!r} 长 {len(data)} 字节，超过 Asterisk 的上限 {MAX_COMMAND}，请缩短",
        )
    return data + b"\n"


def _quote(word: str) -> str:
    refuse_control(word, "a word of an AGI command")
    if "\\" in word or '"' in word:
        word = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{word}"'
