"""Finds the calls of a carrier that Asterisk refuses by itself, in the packets between the two."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from ivr.asterisk.manager import AmiError, AmiRefused, Link, LinkState
from ivr.asterisk.records import RefusedRow
from ivr.asterisk.refused_offers import RefusedOffers
from ivr.asterisk.sip_capture import SipCapture, packets
from ivr.settings import Settings

log = logging.getLogger(__name__)

_STOP_S = 1.0


class CarrierPackets:
    """The packets of one hotline's carrier; none are read where Asterisk runs on another machine.

    Args:
        settings: where things are.
        link: the link to Asterisk.
        addresses: where the carrier's calls come from.
    """

    def __init__(self, settings: Settings, link: Link, addresses: Callable[[], Sequence[str]]) -> None:
        self._link = link
        self._addresses = addresses
        self._offers = RefusedOffers()
        self._capture = SipCapture(settings.run, time.monotonic)
        self._without: object = None
        """The connection to an Asterisk that copies no packets."""
        self._external = settings.external_asterisk
        self._here = not self._external or settings.ami_host in ("", "127.0.0.1")

    async def stop(self) -> None:
        """Let a city's own Asterisk, which goes on without us, copy nothing any more; ours ends or is asked again."""
        if self._here and self._external and self._link.state is LinkState.LIVE:
            with contextlib.suppress(AmiError, TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self._capture.stop(self._link)

    async def look(self) -> list[RefusedRow]:
        """Return the calls that were refused since the last time.

        Raises:
            AmiTimeout, AmiDown: Asterisk does not answer.
        """
        if not self._here or self._link.state is not LinkState.LIVE or self._link.protocol is self._without:
            return []
        try:
            data = await self._capture.turn(self._link, self._addresses())
        except AmiRefused as error:  # a city's own Asterisk, without res_pjsip_logger
            log.warning("calls that Asterisk refuses by itself are not counted: %s", error.sentence)
            self._without = self._link.protocol
            return []
        return await asyncio.to_thread(lambda: list(self._offers.read(packets(data))))
