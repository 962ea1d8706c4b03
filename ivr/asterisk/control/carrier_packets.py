"""Finds the calls of a carrier that Asterisk refuses by itself, in the packets between the two."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ivr.admission.ports import Refusal
from ivr.asterisk.ami.link import AmiError, AmiRefused, Link, LinkState
from ivr.asterisk.facts.refused_offers import RefusedOffers
from ivr.asterisk.facts.sip_capture import SipCapture, packets

log = logging.getLogger(__name__)

_STOP_S = 1.0


class CarrierPackets:
    """The packets of one hotline's carrier; none are read where Asterisk runs on another machine.

    Implements ``admission.ports.Carrier``.

    Args:
        link: the link to Asterisk.
        addresses: where the carrier's calls come from.
        folder: where the packets are kept for a moment.
        here: whether Asterisk runs on this machine.
        external: whether it is the city's own, which goes on without us.
    """

    def __init__(
        self, link: Link, addresses: Callable[[], Sequence[str]], folder: Path, *, here: bool, external: bool
    ) -> None:
        self._link = link
        self._addresses = addresses
        self._offers = RefusedOffers()
        self._capture = SipCapture(folder, time.monotonic)
        self._without: object = None
        """The connection to an Asterisk that copies no packets."""
        self._here = here
        self._external = external

    async def stop(self) -> None:
        """Let a city's own Asterisk, which goes on without us, copy nothing any more; ours ends or is asked again."""
        if self._here and self._external and self._link.state is LinkState.LIVE:
            with contextlib.suppress(AmiError, TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self._capture.stop(self._link)

    async def look(self) -> list[Refusal]:
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
        return await asyncio.to_thread(lambda: [Refusal(*row) for row in self._offers.read(packets(data))])
