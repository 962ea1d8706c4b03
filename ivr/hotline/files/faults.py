"""A fault of a file that administrators edit: where it is, what is wrong and how to mend it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from ivr.errors import HotlineError

_SHOWN = 20


class Severity(enum.StrEnum):
    """A fault is refused; advice is legal but unwise."""

    FAULT = "fault"
    ADVICE = "advice"


@dataclass(frozen=True, order=True)
class Fault:
    """One sentence about one line (counted from 1) of one file, in English and in Chinese."""

    file: str
    line: int
    en: str
    zh: str
    severity: Severity = Severity.FAULT

    def sentence(self, language: str = "en") -> str:
        """Return ``file:line: sentence``."""
        return f"{self.file}:{self.line}: {self.zh if language == 'zh' else self.en}"

    def to_json(self) -> dict[str, str | int]:
        """Return what ``ivr check --json`` prints."""
        return {
            "file": self.file,
            "line": self.line,
            "severity": self.severity.value,
            "sentence": self.en,
            "sentence_zh": self.zh,
        }


class ConfigurationError(HotlineError):
    """The files that administrators edit cannot be used; ``faults`` has every reason."""

    code = "configuration"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(fault for fault in faults if fault.severity is Severity.FAULT)
        super().__init__(_listed(self.faults, "en"), _listed(self.faults, "zh"))


def _listed(faults: tuple[Fault, ...], language: str) -> str:
    rows = [fault.sentence(language) for fault in faults[:_SHOWN]]
    if more := len(faults) - len(rows):
        rows.append(f"另有 {more} 处。" if language == "zh" else f"and {more} more.")
    return "\n".join(rows)
