"""What strangers did, in lines that nobody outside can forge or multiply.

A stranger chooses what he sends and how often.  So of each address and kind the first few of a minute are
written, the rest are counted and told once when the minute is over, and a line holds nothing but what stands in
``SAFE``: an address that is one, a word of ours, a number, and an account without any sign that could begin a
new field or a new line.  fail2ban reads these lines; their form is ``asterisk_conf/fail2ban``'s as well.

Pure but for the clock and the writer that it is given.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable

FIRST = 5
"""Lines of one address, kind and account in a minute."""
OF_ONE = 30
"""Lines of one address and kind in a minute: a trunk may be refused many numbers."""
LINES = 120
"""Lines of all of them in a minute."""
SUMMARIES = 20
"""Addresses whose rest is told when the minute is over; the others are told in one line."""
KNOWN = 4096
"""Addresses counted apart in a minute: a flood may come from as many as it likes."""
ACCOUNT_SIGNS = 40

UNKNOWN, FLOOD = "unknown", "flood"
WRONG_PASSWORD, REFUSED_CALL, NOT_ALLOWED, NO_KEY = "wrong_password", "refused_call", "not_allowed", "no_key"
KINDS = (UNKNOWN, FLOOD, WRONG_PASSWORD, REFUSED_CALL, NOT_ALLOWED, NO_KEY)

_UNSAFE = re.compile(r"[^0-9A-Za-z._+*#-]")


def address_of(text: str) -> str:
    """Return the address in what Asterisk says (``IPV4/UDP/203.0.113.7/5060``, ``[::1]:5060``), or ``-``."""
    wanted = text.split("/")[2] if text.count("/") == 3 else text
    for form in (wanted, wanted.rpartition(":")[0]):
        try:
            return str(ipaddress.ip_address(form.strip("[]")))
        except ValueError:
            continue
    return "-"


def plain(account: str) -> str:
    """Return what a stranger called himself, shortened, with ``?`` for every sign that a line may not hold."""
    return _UNSAFE.sub("?", account[:ACCOUNT_SIGNS])


class Strangers:
    """Writes down the first and counts the rest.

    Args:
        write: takes one line, without its time.
        clock: seconds that never go back.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._minute = -1
        self._lines = 0
        self._seen: Counter[tuple[str, ...]] = Counter()
        self._rest: Counter[tuple[str, str]] = Counter()
        self._others = 0

    def seen(self, kind: str, address: str, *, account: str = "", times: int = 1) -> bool:
        """Note what a stranger did.

        Args:
            kind: one of :data:`KINDS`.
            address: where it came from, as Asterisk says it.
            account: whom the stranger named, or whom the stranger wanted.
            times: how often.

        Returns:
            Whether it was written down; otherwise it was only counted.
        """
        self.turn()
        who = (kind, address_of(address))
        named = f" account={plain(account)}" if account else ""
        if len(self._seen) >= KNOWN and who not in self._seen:
            self._others += times
            return False
        self._seen[who] += 1
        if self._lines < LINES and self._seen[who] <= OF_ONE:
            self._seen[(*who, named)] += 1
        if self._lines >= LINES or self._seen[who] > OF_ONE or self._seen[(*who, named)] > FIRST:
            self._rest[who] += times
            return False
        self._lines += 1
        self._write(f"stranger what={kind} address={who[1]} times={times}{named}")
        return True

    def turn(self) -> None:
        """Tell what was only counted, once its minute is over."""
        minute = int(self._clock() // 60)
        if minute == self._minute:
            return
        self._minute = minute
        told = self._rest.most_common(SUMMARIES)
        for (kind, address), times in told:
            self._write(f"stranger what={kind} address={address} times={times} more")
        others = self._others + self._rest.total() - sum(times for _, times in told)
        if others:
            self._write(f"strangers others times={others}")
        self._lines = self._others = 0
        self._seen.clear()
        self._rest.clear()
