"""A pydantic error and the node it speaks of, as a sentence with a remedy in two languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ivr.hotline.files.faults import Fault
from ivr.hotline.files.fields import PATTERNS
from ivr.hotline.files.yaml_nodes import Node, plain_value

_CLOSE = 70.0
"""How alike two words are (0 to 100) for one to be suggested in place of the other."""
_FEW = 12
"""Names that may all be listed."""

_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("write {ge} or more", "应不小于 {ge}"),
    "less_than_equal": ("write {le} or less", "应不大于 {le}"),
    "string_too_long": ("longer than {max_length} characters; shorten it", "超过 {max_length} 个字符;请缩短"),
    "string_too_short": ("empty; write a value", "为空;请填写"),
    "too_short": ("write at least {min_length}", "至少写 {min_length} 项"),
    "int_type": ("write a whole number without quotes", "请写不带引号的整数"),
    "bool_type": ("write true or false without quotes", "请写不带引号的 true 或 false"),
    "list_type": (
        "write a list: [a, b], or lines that begin with '- '",
        "请写列表:[a, b],或以“- ”开头的各行",
    ),
    "dict_type": ("write lines of 'name: value' here", "请在此写“名称: 值”"),
    "model_type": ("write lines of 'name: value' here", "请在此写“名称: 值”"),
    "model_attributes_type": ("write lines of 'name: value' here", "请在此写“名称: 值”"),
    "string_type": ("write text here", "请写文字"),
    "finite_number": ("write an ordinary number", "请写普通的数"),
}

_FAMILIES: Mapping[str, tuple[str, str]] = {
    "int_": ("write a whole number in digits", "请用数字写整数"),
    "float_": ("write a number in digits", "请用数字写数"),
    "bool_": ("write true or false without quotes", "请写不带引号的 true 或 false"),
    "date_": ("write a date like 2026-01-31", "请写日期,如 2026-01-31"),
    "time_": ("write a time like '08:00'", "请写时刻,如 '08:00'"),
    "string_": ("write other text here", "请改写此处的文字"),
}
"""What begins the kinds of error that one sentence mends."""


def suggestion(word: str, known: Sequence[str]) -> tuple[str, str]:
    """Return "; did you mean …?" in both languages, or nothing where no name is near."""
    if word.isdigit():  # one number looks as likely as another
        return "", ""
    from rapidfuzz import fuzz, process  # only a fault needs it

    found = process.extractOne(word, known, scorer=fuzz.ratio, score_cutoff=_CLOSE)
    if found is None:
        names = ", ".join(known)
        return (f"; there are: {names}", f";可用的有:{names}") if 0 < len(known) <= _FEW else ("", "")
    return f"; did you mean {found[0]}?", f";是否应为 {found[0]}?"


def explain(file: str, root: Node, error: Mapping[str, Any], model: type[BaseModel]) -> Fault:
    """Return the fault that one entry of ``ValidationError.errors()`` tells.

    Args:
        file: the file as it is named to people.
        root: its tree.
        error: the entry.
        model: the model of the whole file.
    """
    path = tuple(step for step in error["loc"] if step != "[key]")
    en, zh = _sentences(root, path, error, model)
    around = path[:-1] if error["type"] in ("missing", "extra_forbidden") else path
    where = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in around).lstrip(".")
    prefix = f"{where}: " if where else ""
    return Fault(file, root.line_of(path), ended(prefix + en, "."), ended(prefix + zh, "。"))


def ended(sentence: str, stop: str) -> str:
    """Return the sentence with a full stop, unless it is a question."""
    return sentence if sentence.endswith(("?", "?")) else sentence + stop


def _sentences(
    root: Node, path: tuple[str | int, ...], error: Mapping[str, Any], model: type[BaseModel]
) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    node = root.at(path)
    if kind == "told":
        return context["en"], context["zh"]
    if kind == "missing":
        return (f"{path[-1]} is missing; write it", f"缺少 {path[-1]};请填写")
    if kind == "extra_forbidden":
        hint = suggestion(str(path[-1]), known_keys(model, path[:-1]))
        return (f"there is nothing called {path[-1]} here{hint[0]}", f"这里没有 {path[-1]}{hint[1]}")
    if node is not None and (trap := _trapped(node, kind)):
        return trap
    if kind == "too_long":
        limit = context["max_length"]
        return (f"more than {limit} entries; {limit} are allowed", f"超过 {limit} 项;至多 {limit} 项")
    if kind in ("enum", "literal_error"):
        wanted = context["expected"].replace("'", "").replace(" or ", ", ")
        raw = node.value if node is not None and isinstance(node.value, str) else ""
        raw = str(path[-1]) if error["loc"][-1] == "[key]" else raw
        hint = suggestion(raw, wanted.split(", "))
        return (
            f"{raw or 'this'} is none of {wanted}{hint[0]}",
            f"{raw or '此值'} 不在 {wanted} 之中{hint[1]}",
        )
    if kind == "string_pattern_mismatch":
        words = PATTERNS.get(context["pattern"], (f"text like {context['pattern']}",) * 2)
        return (f"write {words[0]}", f"应为{words[1]}")
    if kind in _LIMITS:
        return _LIMITS[kind][0].format(**context), _LIMITS[kind][1].format(**context)
    family = next((words for begins, words in _FAMILIES.items() if kind.startswith(begins)), None)
    return family or (f"this cannot be used ({error['msg']}); write another value", "此值不可用;请改写")


def _trapped(node: Node, kind: str) -> tuple[str, str] | None:
    """Tell of text without quotes that YAML took for a number, a truth or nothing."""
    if not node.plain or not isinstance(node.value, str):
        return None
    value = plain_value(node.value)
    if value is None:
        return "empty; write a value", "为空;请填写"
    if kind == "string_type" and not isinstance(value, str):
        what = ("true or false", "真假值") if isinstance(value, bool) else ("a number", "数值")
        return (
            f"{node.value} without quotes is {what[0]} to YAML; put it in quotes: '{node.value}'",
            f"不带引号的 {node.value} 会被 YAML 当作{what[1]};请加引号:'{node.value}'",
        )
    return None


def known_keys(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the names that may stand at ``path`` of a file."""
    current: Any = model
    for step in path:
        if isinstance(step, int):
            continue
        fields = _fields(current)
        if step not in fields:
            continue  # the key of a free mapping
        current = _inner(fields[step])
        if current is None:
            return []
    return list(_fields(current))


def _fields(model: Any) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _inner(annotation: Any) -> Any:
    """Return the model inside ``list[…]`` and ``dict[…]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_inner(argument) for argument in reversed(getattr(annotation, "__args__", ())))
    return next((model for model in found if model is not None), None)
