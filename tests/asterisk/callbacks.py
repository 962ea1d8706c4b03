"""Citizens who are called back, for tests: they gave up waiting, and one telephone of ours stands for all of them."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.asterisk.hotline import running
from tests.asterisk.three_parties import LINES, NUMBERS, TONES, C, Hall, O, Scene, hall, wait_for
from tools.phones.tone_phone import TonePhone, until

GIVES_UP_AFTER_S = 5.5
"""From five seconds on a missed call is called back."""
_PATIENCE_S = 40.0
"""A busy machine is slow, never wrong."""


class CallbackScene(Scene):
    """A citizen who was called back, an operator, a third party."""

    def close(self) -> None:
        """Everybody hangs up; the citizen's telephone is the next one's, too."""
        for phone in (self.caller, self.operator, self.third):
            phone.hang_up()
        assert until(lambda: not (self.caller.up or self.operator.up), _PATIENCE_S), "somebody is still there"


class Callbacks:
    """A hotline with one seat to begin with, and callbacks that wait for it."""

    def __init__(self, place: Hall, citizen: TonePhone) -> None:
        self.hall = place
        self.citizen = citizen
        self._waiting: list[str] = []
        self._given_up = 0
        for seat in place.operators:
            place.hotline.engine("pause", seat=seat, reason="1")

    def give_up(self, count: int) -> None:
        """Let callers give up waiting, at the same time."""
        phones = []
        for _ in range(count):
            self._given_up += 1
            number = f"138{self._given_up:04d}{9000 + self._given_up:04d}"
            phones.append((TonePhone(0, C, self.hall.server, name=f"gives up {number}"), number))
        for phone, number in phones:
            phone.call("12345", number)
        waiting = self.hall.hotline.waiting
        assert until(lambda: waiting() >= count, _PATIENCE_S), f"{waiting()} of {count} wait"
        time.sleep(GIVES_UP_AFTER_S)
        for phone, _ in phones:
            phone.close()
        for _, number in phones:
            wait_for(functools.partial(self._noted, number), _PATIENCE_S, "it is noted")
            self._waiting.append(number)

    def _noted(self, number: str) -> bool:
        return self.hall.hotline.call_state(number) == "callback"

    def _talking(self, seat: str) -> dict[str, Any] | None:
        rows = self.hall.hotline.engine("open_calls")
        return next((row for row in rows if (row["seat"], row["state"]) == (seat, "talking")), None)

    def expect(self, number: str) -> None:
        """Know of somebody who gave up waiting in a way of their own."""
        self._waiting.append(number)

    def scene(self, place: int = 0, *, helper: int | None = None, seat: str = "01") -> CallbackScene:
        """Let the next citizen be called back; nobody else is called meanwhile."""
        if not self._waiting:
            self.give_up(1)
        hotline, operator = self.hall.hotline, self.hall.operators[seat]
        self.citizen.behaviour = "answer"
        hotline.engine("resume", seat=seat)
        both = (
            (self.citizen, O),
            (operator, C),
        )  # who is up: what was heard of the talk before counts no more
        together = until(
            lambda: all(phone.up and phone.hears(TONES) == {tone} for phone, tone in both), _PATIENCE_S
        )
        assert together, f"{self.citizen.hears(TONES)}, {operator.hears(TONES)} {hotline.logs()[-3000:]}"
        hotline.engine("pause", seat=seat, reason="1")
        row = wait_for(lambda: self._talking(seat), _PATIENCE_S, "the callback is known to be a talk")
        number = next(number for number in self._waiting if row["caller"].endswith(number[-4:]))
        self._waiting.remove(number)
        third = self.hall.thirds[place] if helper is None else self.hall.helpers[helper]
        third.behaviour, third.auto_keys = "answer", None
        third.invites.clear()
        target = f"subcenter:{LINES[place]}" if helper is None else NUMBERS[helper]
        return CallbackScene(self.hall, self.citizen, operator, third, row["call_id"], number, target)


@contextlib.contextmanager
def callbacks(folder: Path, seats: int = 2, thirds: int = 2, **settings: str) -> Iterator[Callbacks]:
    """Run a hotline that calls citizens back, and leave nothing behind."""
    citizen = TonePhone(0, C, ("127.0.0.1", 0), name="citizen")

    def prepare(config: Path) -> None:
        path = config / "trunks.yaml"
        trunks = yaml.safe_load(path.read_text(encoding="utf-8"))
        trunks["destinations"]["callback"] = [f"sip:127.0.0.1:{citizen.port}"]
        path.write_text(yaml.safe_dump(trunks, allow_unicode=True), encoding="utf-8")

    opened = functools.partial(running, **settings)  # type: ignore[arg-type]
    with hall(folder, seats, thirds, opened, prepare=prepare) as place:
        citizen.server = place.server
        try:
            yield Callbacks(place, citizen)
        finally:
            citizen.close()
