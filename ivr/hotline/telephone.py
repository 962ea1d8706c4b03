"""Telephone numbers, however a carrier or a person writes them: the one place that knows.

A carrier may write the same number as ``12345``, ``0833-12345``, ``+8683312345``, ``008683312345`` or
``sip:12345;phone-context=+86833@ims;user=phone``, and name several in one header, or in a header that is
repeated (RFC 3261 7.3.1 and 19.1.6, RFC 3966, 4694, 4904, 5806, 7044).  What is read here comes from outside:
it is bounded, and whatever is no number is none, never an error.  The dialplan's lists and patterns are made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

LONGEST_TEXT = 8192
"""Characters of a header that are looked at."""
MOST_NUMBERS = 32
"""Numbers that one call may have been forwarded from."""

COUNTRY = "86"
_ABROAD = r"(?:\+|00)"
_COUNTRY = rf"{_ABROAD}?{COUNTRY}"
_MOBILE = r"1[3-9]\d{9}"
_LAND = r"[1-9]\d{8,10}"
"""Area code without its 0, and the number of a land line (YD/T 1079: 10 to 12 digits with the 0)."""
_LOCAL = r"[2-9]\d{6,7}"
_CALLABLE = re.compile(rf"{_MOBILE}|0{_LAND}|{_LOCAL}", re.ASCII)

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ADDRESS = re.compile(r"\b(?:sips?:([^@>,\s]+)@|tel:([^>,\s?]+))", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s().-]")
_NUMBER = re.compile(r"\+?[0-9]{1,40}", re.ASCII)
_CONTEXT = re.compile(r";phone-context=(\+[0-9.()-]+)", re.IGNORECASE | re.ASCII)
_SHORT = 8
"""Digits of a number that means nothing without its phone-context."""


def digits(text: str) -> str:
    """Keep the ASCII digits of ``text``."""
    return re.sub(r"[^0-9]", "", text)


def number_in(text: str) -> str:
    """Return the number that a value holds: digits, perhaps with a ``+`` before; empty where it holds none.

    Args:
        text: a number in any spelling, an address, or the value of a header that names one.
    """
    return next(iter(numbers_named((text,))), "")


def numbers_named(values: Iterable[str]) -> tuple[str, ...]:
    """Return the numbers that headers name, each once, in order.

    Args:
        values: of Diversion, History-Info or P-Asserted-Identity, each perhaps with several entries, or plain numbers.
    """
    numbers: dict[str, None] = {}
    for value in values:
        text = _QUOTED.sub("", value[:LONGEST_TEXT])  # a name may look like an address
        users = [sip or tel for sip, tel in _ADDRESS.findall(text)]
        numbers |= dict.fromkeys(map(_number, users or text.split(",")))
        if len(numbers) > MOST_NUMBERS:
            break
    return tuple(number for number in numbers if number)[:MOST_NUMBERS]


def _number(user: str) -> str:
    """Return the number in a user part, which may have parameters, a password, separators and escapes."""
    plain = unquote(user)
    bare = _SEPARATORS.sub("", re.split("[;:]", plain, maxsplit=1)[0])
    if not _NUMBER.fullmatch(bare):
        return ""
    context = _CONTEXT.search(plain)
    if context and len(bare) <= _SHORT and bare[0] not in "+0":
        return f"+{digits(context[1])}{bare}"
    return bare


@dataclass(frozen=True)
class NumberPlan:
    """How numbers are dialled in one city.

    Args:
        area_code: with its 0, perhaps with separators; empty where the city gives none.
    """

    area_code: str = ""

    @cached_property
    def _area(self) -> str:
        """The area code without its 0."""
        return digits(self.area_code).lstrip("0")

    def forms(self, number: str) -> tuple[str, ...]:
        """Return the digit strings that reach ``number``: bare, with area code, with country code, with both.

        A ``+`` is no part of them: ``8612345`` is ``+8612345`` too.
        """
        bare = digits(number)
        national = (bare, f"0{self._area}{bare}") if self._area else (bare,)
        within = (f"{self._area}{bare}", *national) if self._area else national
        abroad = (f"{prefix}{form}" for prefix in (COUNTRY, f"00{COUNTRY}") for form in within)
        return tuple(dict.fromkeys((*national, *abroad)))

    @cached_property
    def _people(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        """The ways to write a person's number, and the one way that all of them mean."""
        area = self._area
        rows = [
            (rf"(?:{_COUNTRY})?0?({_MOBILE})", r"\1"),
            (rf"(?:{_COUNTRY})?0({_LAND})", r"0\1"),
            (rf"{_COUNTRY}({_LAND})", r"0\1"),
        ]
        if area:
            rows += [
                (rf"({area}{_LOCAL})", r"0\1"),
                (rf"(?:{_COUNTRY})?({_LOCAL})", rf"0{area}\1"),
            ]
        rows += [(rf"{_COUNTRY}(\d+)", r"\1"), (rf"{_ABROAD}(\d+)", r"00\1")]
        return tuple((re.compile(pattern, re.ASCII), one) for pattern, one in rows)

    def person(self, text: str) -> str:
        """Return the one way to write a caller's number, by which the same person is known again.

        Mobiles are eleven digits, land lines have their area code (``0833…``), foreign numbers begin with
        ``00``; what is no number (``anonymous``) stays as it is.
        """
        number = number_in(text)
        for pattern, one in self._people:
            if match := pattern.fullmatch(number):
                return match.expand(one)
        return number or text

    def diallable(self, text: str) -> str:
        """Return the digits of a number a citizen may be called back on, empty for any other.

        Mobiles, land lines with area code and local numbers: no short, premium or foreign ones, so
        that nobody makes the hotline dial what costs money or disturbs an emergency number.  A local
        number is dialled as it was told: a carrier that says it so takes it so.
        """
        number = number_in(text)
        wanted = number if re.fullmatch(_LOCAL, number, re.ASCII) else self.person(text)
        return wanted if _CALLABLE.fullmatch(wanted) else ""

    @cached_property
    def diallable_patterns(self) -> tuple[str, ...]:
        """What :meth:`diallable` takes, as patterns of a dialplan (without their ``_``)."""
        mobile, local = "1[3-9]" + "X" * 9, ("NXXXXXX", "NXXXXXXX")
        land = tuple("Z" + "X" * count for count in range(8, 11))
        with_zero = (f"0{mobile}", *(f"0{form}" for form in land))
        national = (mobile, *with_zero, *local, *(f"{self._area}{form}" for form in local if self._area))
        abroad = (mobile, *with_zero, *land, *(local if self._area else ()))
        prefixes = (COUNTRY, f"00{COUNTRY}", f"+{COUNTRY}")
        return tuple(dict.fromkeys((*national, *(p + form for p in prefixes for form in abroad))))

    def is_elsewhere(self, text: str) -> bool:
        """Tell whether a land line has another city's area code; mobile and foreign numbers tell nothing."""
        return bool(
            self._area
            and re.fullmatch(rf"0{_LAND}", number := self.person(text), re.ASCII)
            and not number.startswith(f"0{self._area}")
        )
