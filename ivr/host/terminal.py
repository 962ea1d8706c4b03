"""Text from outside, made harmless for a terminal.

A caller's name, a header or a user agent may hold escapes that move the cursor, change colours or set the
window's title, and signs that turn the direction of writing.  Each becomes visible as what it is.
"""

from __future__ import annotations

import unicodedata


def shown(text: str) -> str:
    r"""Return ``text`` with every control or direction sign written out, as ``\x1b``.

    Letters of every language stay as they are, so do tabs and the signs that join letters (U+200C, U+200D).
    """
    if text.isprintable():
        return text
    return "".join(sign if _harmless(sign) else sign.encode("unicode_escape").decode() for sign in text)


def _harmless(sign: str) -> bool:
    return sign in "\t\u200c\u200d" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
