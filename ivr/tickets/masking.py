"""What of a telephone number may be shown: enough to recognise, not enough to dial."""

from __future__ import annotations

import re

_MOBILE = re.compile(r"^(?:(?:00)?86)?(1[3-9]\d)(\d{4})(\d{4})$")

_IN_TEXT = re.compile(
    r"(?<![\d.])(?:\+|00)?(?:86-?)?1[3-9]\d-?\d{4}-?\d{4}(?!\d)"  # a mobile, whatever stands around it
    r"|(?!\d{7}\b(?:(?<=pid .{7})|(?<=process .{7})|(?<=worker .{7})))"  # Linux counts processes up to 4194304
    r"(?:(?<![\w.-])|(?<=%[0-9A-F]{2}))\+?(?:0\d{2,3}-\d{7,8}|\d{7,}+)(?![.-]?\w| bytes)"
)
"""Telephone numbers in text; no days, no pids, no call ids such as ``i3f2-1795296848.12``, no names with digits."""


def mask_numbers(text: str) -> str:
    """Mask every telephone number in a text, and leave days, call ids and channels as they are."""
    return _IN_TEXT.sub(lambda found: mask_number(found[0]), text)


def mask_number(number: str) -> str:
    """Mask a number: ``138****1234`` for a mobile, ``0731-****1234`` style for a land line.

    Args:
        number: digits, perhaps with ``+`` or ``-``; anything else is masked whole.
    """
    plain = re.sub(r"[+\-\s]", "", number)
    if not plain:
        return ""
    if match := _MOBILE.match(plain):
        return f"{match.group(1)}****{match.group(3)}"
    if not plain.isascii() or not plain.isdigit():
        return "****"
    if len(plain) <= 4:
        return "*" * len(plain)
    if len(plain) >= 10 and plain.startswith("0"):
        area = 3 if plain[1] in "12" else 4
        tail = min(4, len(plain) - area - 3)  # three digits stay hidden, however short the number
        return f"{plain[:area]}-****{plain[len(plain) - tail :]}"
    return "****" + plain[-4:] if len(plain) >= 8 else "****" + plain[-2:]
