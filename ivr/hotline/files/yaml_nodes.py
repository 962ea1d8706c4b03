"""YAML bytes to a tree that remembers the line of every value, or faults in plain words.

PyYAML's own composer recurses, and falls over deep nesting; this one reads the parser's events in
a loop, and bounds size, depth and what anchors may grow to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_BYTES = 4_000_000
MAX_DEPTH = 20
MAX_VALUES = 200_000


class Unreadable(Exception):
    """The text is no tree of ours; carries the line and both sentences."""

    def __init__(self, line: int, en: str, zh: str) -> None:
        super().__init__(en)
        self.line, self.en, self.zh = line, en, zh


@dataclass(slots=True)
class Node:
    """A value with its line (from 1).

    ``value``: text, list of nodes, or dict of nodes.  ``plain``: text without quotes.  ``key_lines``:
    where each key of a mapping stands.  ``size``: values in it, those of aliases counted each time.
    """

    value: str | list[Node] | dict[str, Node]
    line: int
    plain: bool = False
    key_lines: dict[str, int] = field(default_factory=dict)
    size: int = 1

    def at(self, path: tuple[str | int, ...]) -> Node | None:
        """Return the node at a path of keys and indexes; None where there is none."""
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            if isinstance(node.value, dict):
                node = node.value.get(str(step))
            elif isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
                node = node.value[step]
            else:
                return None
        return node

    def line_of(self, path: tuple[str | int, ...]) -> int:
        """Return the line of the key or value at ``path``, or of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            around = self.at(path[: length - 1])
            if around is not None and str(path[length - 1]) in around.key_lines:
                return around.key_lines[str(path[length - 1])]
            if (node := self.at(path[:length])) is not None:
                return node.line
        return self.line


@dataclass(frozen=True)
class Trap:
    """Text without quotes that YAML 1.1 takes for something else, such as 12:30 or 012345."""

    raw: str


_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_TRUE = frozenset({"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRAP = re.compile(
    r"""[-+]?0b[01_]+ | [-+]?0x[0-9a-fA-F_]+ | [-+]?[0-9][0-9_]* | [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
    | [-+]?([0-9][0-9_]*)?\.[0-9_]+([eE][-+]?[0-9]+)? | [-+]?[0-9][0-9_]*\.([eE][-+]?[0-9]+)?
    | [-+]?\.(inf|Inf|INF) | \.(nan|NaN|NAN) | = | <<""",
    re.VERBOSE,
)


def plain_value(raw: str) -> str | int | bool | Trap | None:
    """Return what text without quotes means, as other YAML programs would read it; days stay text."""
    if raw in _NULL:
        return None
    if raw in _TRUE or raw in _FALSE:
        return raw in _TRUE
    if _WHOLE.fullmatch(raw):
        return int(raw)
    return Trap(raw) if _TRAP.fullmatch(raw) else raw


def to_data(node: Node) -> Any:
    """Return the plain Python values of a tree (whose depth is bounded)."""
    if isinstance(node.value, dict):
        return {key: to_data(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [to_data(child) for child in node.value]
    return plain_value(node.value) if node.plain else node.value


def decode(raw: bytes) -> str:
    """Decode a file; the sentence says which other encoding it seems to have."""
    if len(raw) > MAX_BYTES:
        raise Unreadable(
            1,
            f"the file has {len(raw):,} bytes; {MAX_BYTES:,} are allowed. Is it the right file?",
            f"文件有 {len(raw):,} 字节,上限为 {MAX_BYTES:,};是否放错了文件?",
        )
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:4]:
        raise Unreadable(
            1,
            "the file is saved as UTF-16 or UTF-32 (Unicode); save it as UTF-8.",
            "文件是 UTF-16/UTF-32(“Unicode”)编码;请另存为 UTF-8。",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        try:
            raw.decode("gb18030")
        except UnicodeDecodeError:
            raise Unreadable(
                line,
                f"the byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8.",
                f"字节 0x{raw[error.start]:02x} 不是 UTF-8;请把文件另存为 UTF-8。",
            ) from error
        raise Unreadable(
            line,
            "the file seems to be saved as GBK (ANSI); save it as UTF-8.",
            "文件似乎是 GBK(ANSI)编码;请另存为 UTF-8。",
        ) from error


@dataclass(slots=True)
class _Open:
    node: Node
    key: str | None = None
    anchor: str | None = None


class _Builder:
    """Puts the tree together from events; ``twice`` collects keys that stand twice."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}
        self.twice: list[tuple[int, str, int]] = []
        self.count = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                raise Unreadable(
                    line,
                    "a second document begins here (---); keep one.",
                    "这里开始了第二个文档(---);只能有一个。",
                )
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor, line)
        elif isinstance(event, yaml.ScalarEvent):
            self._no_tag(event, line)
            node = Node(event.value, line, plain=event.implicit[0] and not event.style)
            self._anchor(event.anchor, node)
            self._add(node)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()

    def _begin(self, event: Any, line: int) -> None:
        self._no_tag(event, line)
        if len(self.open) >= MAX_DEPTH:
            raise Unreadable(
                line,
                f"values stand more than {MAX_DEPTH} deep in each other; no file needs that.",
                f"嵌套超过 {MAX_DEPTH} 层;任何文件都不需要这样。",
            )
        if self._expects_key():
            raise Unreadable(
                line,
                "a list or mapping cannot be a key; write a name and a colon.",
                "列表或映射不能作键;请写名称加冒号。",
            )
        node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], line)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.open.append(_Open(node, anchor=event.anchor))

    def _end(self) -> None:
        done = self.open.pop()
        self._anchor(done.anchor, done.node)
        self._add(done.node)

    def _alias(self, name: str | None, line: int) -> None:
        if name is None or name not in self.anchors:
            raise Unreadable(
                line, f"there is no anchor &{name} before this.", f"此前没有名为 &{name} 的锚点。"
            )
        node = self.anchors[name]
        if node is None:
            raise Unreadable(
                line,
                f"*{name} stands inside itself; write the values out.",
                f"*{name} 引用了自身;请直接写出内容。",
            )
        self._add(node)

    def _anchor(self, name: str | None, node: Node) -> None:
        if name:
            self.anchors[name] = node

    def _no_tag(self, event: Any, line: int) -> None:
        if event.tag:
            raise Unreadable(
                line,
                f"the tag {event.tag[:60]!r} is not allowed; write plain values.",
                f"不允许使用标签 {event.tag[:60]!r};请写普通的值。",
            )

    def _expects_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].node.value, dict) and self.open[-1].key is None

    def _add(self, node: Node) -> None:
        self.count += node.size if not self.open else 1
        if not self.open:
            self.root = node
            return
        around = self.open[-1]
        around.node.size += node.size
        if self.count > MAX_VALUES or around.node.size > MAX_VALUES:
            raise Unreadable(
                node.line,
                f"the file has more than {MAX_VALUES:,} values (anchors counted in full); that is too many.",
                f"文件中的值超过 {MAX_VALUES:,} 个(锚点按展开计),过多。",
            )
        if isinstance(around.node.value, list):
            around.node.value.append(node)
        elif isinstance(around.node.value, dict):
            self._pair(around, around.node.value, node)

    def _pair(self, around: _Open, mapping: dict[str, Node], node: Node) -> None:
        if around.key is not None:
            mapping[around.key] = node
            around.key = None
            return
        if not isinstance(node.value, str):
            raise Unreadable(node.line, "a list or mapping cannot be a key.", "列表或映射不能作键。")
        around.key = node.value
        if node.value in around.node.key_lines:
            self.twice.append((node.line, node.value, around.node.key_lines[node.value]))
        else:
            around.node.key_lines[node.value] = node.line


def compose(text: str) -> tuple[Node | None, list[tuple[int, str, int]]]:
    """Return the tree (None: nothing but comments), and every key that stands twice.

    Raises:
        Unreadable: not YAML, or YAML that no file of ours needs.
    """
    builder = _Builder()
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(text, error) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 1
        raise Unreadable(
            line,
            "a control character that no text has stands in the file; delete it.",
            "文件中有文本不该有的控制字符;请删除。",
        ) from error
    return builder.root, builder.twice


def _events(text: str) -> Iterator[Any]:
    return iter(yaml.parse(text, Loader=_Loader))


def _not_yaml(text: str, error: yaml.MarkedYAMLError) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    rows = text.splitlines()
    near = rows[max(0, line - 2) : line]
    if any(re.match(r"[ -]*\t", row) for row in near):
        return Unreadable(line, "a tab indents this line; use spaces.", "此处用制表符(Tab)缩进;请改用空格。")
    if any("：" in row.split("#")[0] for row in near):
        return Unreadable(
            line,
            "not YAML; is there a full-width colon (：)? Write ': ' instead.",
            "不是有效的 YAML;是否误用了全角冒号“：”?请改为英文冒号加空格。",
        )
    what = error.problem or error.context or "it cannot be read"
    return Unreadable(
        line,
        f"not YAML: {what}; look at indentation, quotes and colons here and on the line before.",
        f"不是有效的 YAML({what});请检查本行和上一行的缩进、引号和冒号。",
    )
