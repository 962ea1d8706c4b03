"""What people read in a file: strings and comments, values, paragraphs; code, keys and addresses are cut out.

A :class:`Prose` has the length of the source it stands for, so that a place in it is a place in the file;
what nobody reads as a sentence is ``HOLE``. The rules about the words stand elsewhere.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import yaml

HOLE = "\0"
VALUES_AS_SAID = frozenset({"aliases", "words", "say"})
"""Keys of YAML files whose values are what callers say or what a synthesiser reads, not sentences."""

_PIECE = re.compile(
    r"""\#[^\n]*                                          # a comment between two pieces
    |(?P<prefix>[A-Za-z]{0,2})(?P<quote>\"\"\"|'''|"|')(?P<body>(?:\\.|(?!(?P=quote)).)*)(?P=quote)""",
    re.VERBOSE | re.DOTALL,
)
_FIELD = re.compile(r"\{\{.*?\}\}|\{(?:[^{}]|\{[^{}]*\})*\}", re.DOTALL)
_PORT = re.compile(r":(?=\{[^{}]*port\b[^{}]*\})")
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
# A key in a piece of YAML, a list or mapping of it, an address, code between backticks, a place that
# may be dialled, an entity of HTML; a link's target.
_YAML_KEY = re.compile(r"(?:^|(?<=[\n{,]))[ \-#\0]*[\"']?[A-Za-z_][\w.]*[\"']?:(?=[ \n\0]|$)")
_NO_WORDS = re.compile(
    r"\{(?:[^{}]|\{[^{}]*\})*\}|(?<=: )\[[^\]]*(?:\]|\Z)|[a-z+\0]+:/{2}[^\s\uff0c\u3002\uff1b\uff09]*"
    r"|``?[^`]+``?|\bsips?:[^\s\uff0c\u3002\uff1b\uff08\uff09\u3001,;()]+"
    r"|\b(?:expert|subcenter|unit|seat):(?=\S)|&\w+;"
)
_TARGET = re.compile(r"(?<=\])\([^()]*\)|<[^<>\n]*>")


@dataclass(frozen=True)
class Prose:
    """A stretch of text as people read it.

    Attributes:
        start: its place in the file, characters from the beginning.
        text: the words, ``HOLE`` for everything else.
    """

    start: int
    text: str


def of(path: PurePath, text: str) -> Iterator[Prose]:
    """Yield every stretch of a file that people read."""
    yield from _KINDS.get(path.suffix, _plain)(text)


def _blank(text: str) -> str:
    return HOLE * len(text)


def _words(start: int, text: str) -> Prose:
    for cut in (_NO_WORDS, _YAML_KEY):
        text = cut.sub(lambda found: _blank(found[0]), text)
    return Prose(start, text)


def _plain(text: str) -> Iterator[Prose]:
    for line in re.finditer(r"[^\n]+", text):
        yield _words(line.start(), line[0])


def _markdown(text: str) -> Iterator[Prose]:
    for fence in _FENCE.finditer(text):
        inside = _yaml_or_comments(fence[3]) if fence[2] in {"yaml", "yml"} else _comments(fence[3])
        yield from (Prose(fence.start(3) + prose.start, prose.text) for prose in inside)
    yield _words(
        0, _TARGET.sub(lambda found: _blank(found[0]), _FENCE.sub(lambda found: _blank(found[0]), text))
    )


def _comments(text: str) -> Iterator[Prose]:
    for comment in _COMMENT.finditer(text):
        yield _words(comment.start(), comment[0])


def _yaml_or_comments(text: str) -> Iterator[Prose]:
    try:
        yield from list(_yaml(text))
    except yaml.YAMLError:
        yield from _comments(text)


def _yaml(text: str) -> Iterator[Prose]:
    values = [node for document in yaml.compose_all(text, yaml.SafeLoader) for node in _scalars(document)]
    rest = text
    for node, is_read in values:
        start, end = node.start_mark.index, node.end_mark.index
        rest = rest[:start] + _blank(rest[start:end]) + rest[end:]
        if is_read:
            yield Prose(start, _NO_WORDS.sub(lambda found: _blank(found[0]), text[start:end]))
    yield from _comments(rest)


def _scalars(node: yaml.Node | None, is_read: bool = True) -> Iterator[tuple[yaml.ScalarNode, bool]]:
    if isinstance(node, yaml.ScalarNode):
        yield node, is_read
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _scalars(child, is_read)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(key, is_read=False)
            yield from _scalars(value, is_read and key.value not in VALUES_AS_SAID)


def _python(text: str) -> Iterator[Prose]:
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def place(row: int, column_bytes: int) -> int:
        return starts[row - 1] + len(lines[row - 1].encode()[:column_bytes].decode())

    for node in _literals(ast.parse(text)):
        start = place(node.lineno, node.col_offset)
        yield from _literal(start, text[start : place(node.end_lineno or 0, node.end_col_offset or 0)])
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield _words(starts[token.start[0] - 1] + token.start[1], token.string)


def _literals(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Yield whole literals, adjacent ones as one; a sentence may be cut into several. Patterns are none."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        yield node
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
        return
    for child in ast.iter_child_nodes(node):
        yield from _literals(child)


def _literal(start: int, source: str) -> Iterator[Prose]:
    text = [HOLE] * len(source)
    for piece in _PIECE.finditer(source):
        body = piece["body"] or ""
        if "r" not in (piece["prefix"] or "").lower():
            body = re.sub(
                r"\\(.)", lambda found: "\n" + HOLE if found[1] == "n" else HOLE * 2, body, flags=re.DOTALL
            )
        body = _PORT.sub(HOLE, body)
        if "f" in (piece["prefix"] or "").lower():
            for field in _FIELD.finditer(body):
                yield from _in_field(start + piece.start("body") + field.start(), field[0])
            body = _FIELD.sub(lambda found: _separators(found[0]), body)
        if body:
            text[piece.start("body") : piece.end("body")] = body
    yield _words(start, "".join(text))


def _separators(field: str) -> str:
    """Blank a field of an f-string but for what joins a list in it, which is read between its items."""
    text = list(_blank(field))
    for joined in re.finditer(r"""(?<=["'])([,;:] ?)["']\.join\(""", field):
        text[joined.start(1) : joined.end(1)] = joined[1]
    return "".join(text)


def _in_field(start: int, field: str) -> Iterator[Prose]:
    for piece in _PIECE.finditer(field):
        if piece["body"] and not field.startswith("{{"):
            yield _words(start + piece.start("body"), piece["body"])


_KINDS: Mapping[str, Callable[[str], Iterator[Prose]]] = {
    ".py": _python,
    ".md": _markdown,
    ".yaml": _yaml,
    ".json": _yaml,
}
