"""Seats and callers with phones that sing, at a hotline that several tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.asterisk.hotline import Hotline, wait_for
from tools.phones.tone_phone import TonePhone, until

CALLER, FIRST, SECOND = 400.0, 900.0, 1600.0
"""Hz: what a caller sings, and two others."""
_NUMBERS = iter(range(1, 1000))


class Floor:
    """The phones of one test; :meth:`clear` leaves the hotline as it was."""

    def __init__(self, hotline: Hotline) -> None:
        self.hotline = hotline
        self.phones: list[TonePhone] = []

    def phone(self, hertz: float, port: int = 0, **more: Any) -> TonePhone:
        """Plug a phone in; ``more`` as :class:`TonePhone` takes it."""
        phone = TonePhone(port, hertz, ("127.0.0.1", self.hotline.sip_port), **more)
        self.phones.append(phone)
        return phone

    def man(self, seat: str, hertz: float, port: int = 0, **more: Any) -> TonePhone:
        """Put a phone and, where nobody is there, an operator on a seat."""
        phone = self.phone(hertz, port, **more)
        self.sit(seat, phone.port)
        return phone

    def sit(self, seat: str, port: int) -> None:
        """Register the phone at a port for a seat and, where nobody is there, log an operator in."""
        user = f"seat{seat}"
        passwords = json.loads((self.hotline.home / "secrets.json").read_text())["sip"]
        self.hotline.phones.register({user: passwords[user]}, {user: port})
        if self.row(seat)["operator"] is None:
            self.hotline.engine("login", seat=seat, operator=f"10{seat}")
        wait_for(lambda: self.row(seat)["registered"], why=f"seat {seat} is there")

    def row(self, seat: str) -> dict[str, Any]:
        """Return what the engine tells of a seat."""
        rows: list[dict[str, Any]] = self.hotline.engine("seats")
        return next(row for row in rows if row["seat"] == seat)

    def call(self, number: str = "", **more: Any) -> tuple[TonePhone, str]:
        """Dial 12345, from a number of its own if none is named; return phone and number."""
        number = number or f"9555{next(_NUMBERS):07d}"
        caller = self.phone(CALLER, name=number, **more)
        caller.call("12345", number)
        return caller, number

    def hears(self, phone: TonePhone, tone: float, why: str) -> None:
        """Wait until a phone hears one of the two others, and only them."""
        heard: Callable[[], bool] = lambda: phone.hears((FIRST, SECOND)) == {tone}  # noqa: E731
        assert until(heard), f"{why}: hears {phone.hears((FIRST, SECOND))} {self.hotline.logs()}"

    def clear(self) -> None:
        """Hang up everybody and log everybody out."""
        for phone in self.phones:
            phone.close()
        self.phones.clear()
        for row in self.hotline.engine("seats"):
            if row["operator"] is not None:
                self.hotline.unman(row["seat"])
        self.hotline.cli("channel request hangup all")
