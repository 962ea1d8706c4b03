"""What of a telephone number may be shown: enough to recognise, not enough to dial."""

from __future__ import annotations

import re

_MOBILE = re.compile(r"^(?:(?:00)?86)?(1[3-9]\d)(\d{4})(\d{4})$")


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
