"""What is wrong with a setting: one sentence in each language, which begins with the setting's name.

A value that may be a secret is never part of a sentence.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ivr.errors import HotlineError

PREFIX = "IVR_"
_SECRET = frozenset({"IVR_DATABASE_URL", "IVR_AMI_SECRET"})

_WHAT_TO_WRITE: Mapping[str, tuple[str, str]] = {
    "int_": ("write a whole number", "请写整数"),
    "float_": ("write a number", "请写数字"),
    "bool_": ("write yes or no", "请写 yes 或 no"),
    "string_unicode": ("write it in UTF-8", "请用 UTF-8 编码"),
    "string_": ("write text in quotes", "请写带引号的文字"),
    "finite_number": ("write an ordinary number", "请写普通的数"),
    "greater_than_equal": ("write {ge} or more", "应不小于 {ge}"),
    "less_than_equal": ("write {le} or less", "应不大于 {le}"),
    "tuple_": ("write two ports with a dash, for example 10000-11599", "请写以短横线相连的两个端口，例如 10000-11599"),
    "path_": ("write a path", "请写路径"),
}  # fmt: skip
"""What mends an error, by what pydantic's name of it begins with."""


class Weight(enum.Enum):
    """A fault keeps the hotline from starting; advice is only told."""

    FAULT = enum.auto()
    ADVICE = enum.auto()


@dataclass(frozen=True)
class SettingFault:
    """One thing that is wrong with one setting.

    Attributes:
        setting: the name as in the environment, for example ``IVR_SIP_PORT``.
        en: what is wrong and how to mend it; goes on after the name.
        zh: the same in Chinese.
        weight: whether the hotline may start with it.
    """

    setting: str
    en: str
    zh: str
    weight: Weight = Weight.FAULT

    @property
    def sentence(self) -> str:
        """The whole sentence in English."""
        return f"{self.setting} {self.en}"

    @property
    def sentence_zh(self) -> str:
        """The whole sentence in Chinese."""
        return f"{self.setting} {self.zh}"


class SettingsError(HotlineError):
    """Settings that cannot be used; ``faults`` has each of them, told one a line."""

    code = "settings"

    def __init__(self, faults: Iterable[SettingFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            "\n".join(fault.sentence for fault in self.faults),
            "\n".join(fault.sentence_zh for fault in self.faults),
        )


class Unusable(ValueError):
    """What a validator says of a value, in both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


def fault_of(error: Mapping[str, Any]) -> SettingFault:
    """Turn one entry of pydantic's ``ValidationError.errors()`` into a sentence."""
    setting = PREFIX + str(error["loc"][0]).upper()
    en, zh = _mending(error)
    value = error["input"]
    if setting in _SECRET:
        return SettingFault(setting, f"cannot be used: {en}.", f"无法使用：{zh}。")
    if value == "":
        return SettingFault(setting, f"is empty: {en}, or unset it.", f"为空：{zh}，或取消该设置。")
    shown = str(value) if isinstance(value, int | str | float) else repr(value)
    return SettingFault(setting, f"is {shown!r}: {en}.", f"的值为“{_one_line(shown)}”：{zh}。")


def _one_line(text: str) -> str:
    return text.encode("unicode_escape").decode() if not text.isprintable() else text


def _mending(error: Mapping[str, Any]) -> tuple[str, str]:
    context = error.get("ctx", {})
    if isinstance(context.get("error"), Unusable):
        return context["error"].en, context["error"].zh
    for kind, (en, zh) in _WHAT_TO_WRITE.items():
        if error["type"].startswith(kind):
            return en.format(**context), zh.format(**context)
    return str(error["msg"]), str(error["msg"])
