"""The machine on which Asterisk carries calls: how full it is, and how many callers the dialplan lets in."""

from __future__ import annotations

from collections.abc import Callable

from ivr.asterisk.ami.link import Link, LinkState
from ivr.asterisk.facts.cpu_use import CpuUse, cores
from ivr.asterisk.facts.ports_in_use import admitted, let_in, udp_ports_in_use
from ivr.host.processes import Process


class AsteriskMachine:
    """Implements ``admission.ports.Machine``.

    Args:
        link: the link to Asterisk.
        process: finds Asterisk's process; None where it cannot be known.
        rtp_ports: the first and the last of our RTP ports.
        here: whether Asterisk runs on this machine.
    """

    def __init__(
        self, link: Link, process: Callable[[], Process | None], rtp_ports: tuple[int, int], *, here: bool
    ) -> None:
        self._link = link
        self._cpu = CpuUse(process)
        self._rtp_ports = rtp_ports
        self._here = here

    @property
    def live(self) -> bool:
        """Whether Asterisk can be asked."""
        return self._link.state is LinkState.LIVE

    @property
    def cores(self) -> int:
        """The processors that may be used from here."""
        return cores()

    def cores_busy(self) -> float | None:
        """Return the processors that Asterisk keeps busy."""
        return self._cpu.look()

    def rtp_ports_used(self) -> int | None:
        """Return how many of our RTP ports are bound, by whomever."""
        return udp_ports_in_use(*self._rtp_ports) if self._here else None

    async def admitted(self) -> int:
        """Return how many callers are admitted now, as the dialplan counts them."""
        return await admitted(self._link)

    async def let_in(self, limit: int, until: int) -> None:
        """Let the dialplan admit so many callers."""
        await let_in(self._link, limit, until)
