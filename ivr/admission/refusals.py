"""Calls that were not let in: each is counted, and is a record by which the city can call back.

Asterisk writes down every one, whether or not we listen; what it wrote is taken in here, once.  A
flood writes no more rows than the limits below: beyond them calls are still counted, and one row a
minute tells how many they were.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from ivr.alarms.board import Fault
from ivr.events.event import Event, Kind, refused_stream

CALLS_REFUSED = "calls_refused"
ROWS_A_MINUTE = 1_500
"""More than 20 calls a second for a whole minute; a row is about half a kilobyte."""
ROWS_A_DAY = 50_000
QUIET_S = 60.0
"""Seconds without a refused call after which the alarm goes."""
_MINUTE_S = 60.0
_LATE_S = 5.0
"""Seconds that Asterisk's records of a minute may still come after its end."""


class Reason(enum.StrEnum):
    """Why a call was not let in."""

    BUSY = "busy"
    UNKNOWN_NUMBER = "unknown_number"
    NO_PORTS = "no_ports"
    NO_CODEC = "no_codec"
    EXTENSION = "extension"
    BAD_REQUEST = "bad_request"


class Meaning(NamedTuple):
    """What a reason is called in Chinese, what the carrier was answered, and what to do, in both languages."""

    chinese: str
    answer: str
    advice: str = ""
    advice_zh: str = ""


_MEANINGS: Mapping[str, Meaning] = {
    Reason.BUSY: Meaning("线路忙", "503"),
    Reason.UNKNOWN_NUMBER: Meaning(
        "号码不存在",
        "404",
        "where that is a number of yours, write it into lines.yaml",
        "如为本市号码，请写入 lines.yaml",
    ),
    Reason.NO_PORTS: Meaning("无语音端口", "488"),
    Reason.NO_CODEC: Meaning(
        "编码不支持", "488", "have the carrier offer G.711 A-law or µ-law", "请运营商提供 G.711 A 律或 μ 律"
    ),
    Reason.EXTENSION: Meaning(
        "要求不支持的扩展",
        "420",
        "have the carrier require no SIP extension (header Require)",
        "请运营商不要在 Require 头中要求 SIP 扩展",
    ),
    Reason.BAD_REQUEST: Meaning(
        "请求无效", "4xx", "have the carrier look at what its INVITE says", "请运营商检查其 INVITE 的内容"
    ),
}


@dataclass(frozen=True)
class Refusal:
    """One call; ``caller`` is empty where Asterisk refused it before anybody could read the number."""

    call_id: str
    at: float
    caller: str
    dialled: str
    reason: str
    trunk: str


Slot = tuple[int, str, str]
"""A minute (since the epoch), a reason and a trunk."""


class Refusals:
    """The refused calls of today, and what is still to be written.

    Args:
        record: journals an event.
        identify: returns what may be stored of a number.
        day: returns the local day of a moment (seconds since the epoch).
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        record: Callable[[Event], object],
        identify: Callable[[str], Mapping[str, str]],
        day: Callable[[float], date],
        clock: Callable[[], float],
    ) -> None:
        self._record = record
        self._identify = identify
        self._day = day
        self._clock = clock
        self._today = day(clock())
        self._counts: Counter[tuple[str, str]] = Counter()
        self._dialled: dict[tuple[str, str], str] = {}
        """What was dialled last, by reason and trunk."""
        self._rows: Counter[int | date] = Counter()
        self._more: Counter[Slot] = Counter()
        self._journalled: frozenset[str] = frozenset()
        self._last_at = 0.0

    # -- what is taken in ------------------------------------------------------------------------
    def take(self, refusals: Iterable[Refusal]) -> None:
        """Count calls, and journal those that the journal does not have."""
        self._turn_day()
        for refusal in refusals:
            if self._day(refusal.at) == self._today:
                self._counts[refusal.reason, refusal.trunk] += 1
                self._dialled[refusal.reason, refusal.trunk] = refusal.dialled
            if not refusal.trunk.startswith("seat"):  # a seat's typing error is a record, and nobody's alarm
                self._last_at = max(self._last_at, refusal.at)
            if refusal.call_id not in self._journalled:
                self._write(refusal)

    def _write(self, refusal: Refusal) -> None:
        minute, day = int(refusal.at // _MINUTE_S), self._day(refusal.at)
        if self._rows[minute] >= ROWS_A_MINUTE or self._rows[day] >= ROWS_A_DAY:
            self._more[minute, refusal.reason, refusal.trunk] += 1
            return
        self._rows[minute] += 1
        self._rows[day] += 1
        self._journal(refusal, 1)

    def settle(self) -> None:
        """Write one row for the calls of each past minute that had none of their own."""
        over = (self._clock() - _LATE_S) // _MINUTE_S
        for slot in [slot for slot in self._more if slot[0] < over]:
            minute, reason, trunk = slot
            self._journal(
                Refusal("", (minute + 1) * _MINUTE_S - 1, "", "", reason, trunk), self._more.pop(slot)
            )
        for minute in [key for key in self._rows if isinstance(key, int) and key < over]:
            del self._rows[minute]

    def _journal(self, refusal: Refusal, calls: int) -> None:
        data = {
            "call_id": refusal.call_id,
            "caller": dict(self._identify(refusal.caller)),
            "dialled": refusal.dialled,
            "reason": refusal.reason,
            "trunk": refusal.trunk,
            "calls": calls,
        }
        self._record(Event(refused_stream(self._day(refusal.at)), refusal.at, Kind.CALL_REFUSED, data))

    def _turn_day(self) -> None:
        today = self._day(self._clock())
        if today != self._today:
            self._today = today
            self._counts.clear()
            self._dialled.clear()
            for day in [key for key in self._rows if isinstance(key, date) and key < today]:
                del self._rows[day]

    # -- what is told ----------------------------------------------------------------------------
    def by_reason(self) -> dict[str, int]:
        """Return how many calls were refused since the start of the day, by reason."""
        return {reason: sum(trunks.values()) for reason, trunks in self.by_trunk().items()}

    def by_trunk(self) -> dict[str, dict[str, int]]:
        """Return the same, by reason and trunk."""
        self._turn_day()
        told: dict[str, dict[str, int]] = {}
        for (reason, trunk), calls in sorted(self._counts.items()):
            told.setdefault(reason, {})[trunk] = calls
        return told

    def faults(self) -> list[Fault]:
        """Return the fault that calls are being refused."""
        if not self._last_at or self._clock() - self._last_at > QUIET_S:
            return []
        return [Fault(CALLS_REFUSED, "", *self.sentences(), gone_s=0.0)]

    def sentences(self) -> tuple[str, str]:
        """Return what to say of today's refused calls, in both languages."""
        rows = [
            (reason, trunk, n) for reason, trunks in self.by_trunk().items() for trunk, n in trunks.items()
        ]
        if not rows:  # midnight has just passed
            return "calls were refused a moment ago.", "刚才有来电未能接入。"
        english = ", ".join(f"{n} {reason} ({self._of(reason, trunk)})" for reason, trunk, n in rows)
        chinese = "、".join(
            f"{_meaning(reason).chinese} {n} 通（{self._of(reason, trunk, zh=True)}）"
            for reason, trunk, n in rows
        )
        meant = [_meaning(reason) for reason in self.by_trunk()]
        advice = "".join(f"; {meaning.advice}" for meaning in meant if meaning.advice)
        advice_zh = "".join(f"；{meaning.advice_zh}" for meaning in meant if meaning.advice_zh)
        return (
            f"calls are refused; today {english}: `ivr calls list --refused` lists them, to call back{advice}.",
            f"有来电未能接入；今日{chinese}：可用 ivr calls list --refused 查看并回拨{advice_zh}。",
        )

    def _of(self, reason: str, trunk: str, *, zh: bool = False) -> str:
        """Say by which trunk, what the carrier was answered, and what was dialled last."""
        said = [trunk, _meaning(reason).answer]
        if dialled := self._dialled.get((reason, trunk)):
            said.append(f"最近所拨 {dialled}" if zh else f"last dialled {dialled}")
        return ("，" if zh else ", ").join(filter(None, said))

    # -- over a restart --------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Return what must be kept together with how far Asterisk's records were read."""
        return {
            "day": self._today.isoformat(),
            "counts": [[*key, n] for key, n in self._counts.items()],
            "dialled": [[*key, what] for key, what in self._dialled.items()],
            "rows": self._rows[self._today],
            "more": [[*slot, n] for slot, n in self._more.items()],
            "last_at": self._last_at,
        }

    def restore(self, state: Mapping[str, Any], journalled: Iterable[str]) -> None:
        """Take over what :meth:`state` returned.

        Args:
            state: as it was kept; empty where there was none.
            journalled: the ids of the newest calls in the journal: what was read again after a kill
                is counted, and not written twice.
        """
        self._journalled = frozenset(journalled)
        if state.get("day") == self._today.isoformat():
            self._counts.update({(str(reason), str(trunk)): int(n) for reason, trunk, n in state["counts"]})
            self._dialled.update(
                {(str(why), str(trunk)): str(what) for why, trunk, what in state.get("dialled", [])}
            )
            self._rows[self._today] = int(state["rows"])
        self._more.update(
            {(int(at), str(why), str(trunk)): int(n) for at, why, trunk, n in state.get("more", [])}
        )
        self._last_at = float(state.get("last_at", 0.0))


def _meaning(reason: str) -> Meaning:
    return _MEANINGS.get(reason, Meaning(reason, ""))
