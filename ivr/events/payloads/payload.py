"""What every payload has, and the parts that several of them share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The data of an event.

    A field whose name is a word of Python ends with ``_``, which the journal leaves out.

    Attributes:
        reconciled: Asterisk's own records told it, nobody heard it live.
    """

    reconciled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """What is stored of a telephone number.

    Attributes:
        mask: as it is shown, ``138****8000``.
        enc: sealed with the keys of this instance; empty for none.
        hash: tells the same number again.
    """

    mask: str = ""
    enc: str = ""
    hash: str = ""


NOBODY = Number()
"""Nothing is known of the number."""
