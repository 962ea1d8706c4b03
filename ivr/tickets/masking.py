"""What of a telephone number may be shown: enough to recognise, not enough to dial."""

from __future__ import annotations

import re

from ivr.tickets.numbers import is_of_a_day

_MOBILE = re.compile(r"^(?:(?:00)?86)?0?(1[3-9]\d)(\d{4})(\d{4})$")

_IN_TEXT = re.compile(
    r"(?<![\d.])(?:\+|00)?(?:86-?)?1[3-9]\d-?\d{4}-?\d{4}(?!\d)"  # a mobile, whatever stands around it
    r"|(?!\d{7}\b(?:(?<=pid .{7})|(?<=process .{7})|(?<=worker .{7})))"  # Linux counts processes up to 4194304
    r"(?:(?<![\w.-])|(?<=%[0-9A-F]{2}))\+?(?:0\d{2,3}-\d{7,8}|\d{7,}+)(?![.-]?\w| bytes)"
)
"""What may be a telephone number in text; no days, pids, call ids such as ``i3f2-1795296848.12``, or names with digits."""


_LOCAL = range(7, 9)
"""Digits of a number without its area code; as many has a day in a path, ``/srv/20261127/home``."""
_ENDS_A_WORD = " \t'\"(=[<,;"
_ENDS_A_PART = tuple(" \t'\"/:,;)]")


def mask_numbers(text: str) -> str:
    """Mask every telephone number in a text, and leave days, call ids, channels, tickets and folders as they are."""
    return _IN_TEXT.sub(lambda found: found[0] if _stays(found) else mask_number(found[0]), text)


def _stays(found: re.Match[str]) -> bool:
    """Tell whether digits are no telephone number: the number of a ticket, or a folder's name in an absolute path."""
    digits = found[0]
    return is_of_a_day(digits) or (
        digits.isdigit() and len(digits) in _LOCAL and digits[0] != "0" and _is_part_of_a_path(found)
    )


def _is_part_of_a_path(found: re.Match[str]) -> bool:
    text, at = found.string, found.start()
    path = text[max(text.rfind(sign, 0, at) for sign in _ENDS_A_WORD) + 1 : at]
    rest = text[found.end() :]
    return (
        path[:1] == path[-1:] == "/"
        and not set(path) & set(":@")
        and (not rest or rest.startswith(_ENDS_A_PART))
    )


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
