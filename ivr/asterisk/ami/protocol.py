"""The socket end of the manager link: bytes to messages, messages to waiting actions.

It knows actions by their ActionID and nothing about reconnecting; ``manager.Link`` does.  It
must never block, never lose an event because somebody's callback raised, and never leave an
action waiting once the connection is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import cast

from panoramisk.ami_protocol import AMIProtocol

from ivr.asterisk.ami.codec import AmiParser, HeaderValue, Message, encode_action
from ivr.asterisk.ami.states import AmiDown, AmiOverflow, AmiTimeout

log = logging.getLogger(__name__)

_FORGOTTEN_LISTS = 256
MOST_ENTRIES = 100_000
"""Of one list: 2,000 seats in 40 queues, and whoever waits."""


class Pending:
    """An action that Asterisk has not yet answered completely."""

    __slots__ = ("future", "items", "limit", "listing", "name", "timer")

    def __init__(self, name: str, listing: bool | None, limit: int) -> None:
        self.name = name
        self.listing = listing
        """True: a list is expected; False: one response; None: as the response says."""
        self.limit = limit
        self.items: list[Message] = []
        """The response and then the list's events."""
        self.future: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        # An action whose caller went away must not be reported as "never retrieved".
        self.future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.timer: asyncio.TimerHandle | None = None


class LinkProtocol(AMIProtocol):  # type: ignore[misc]  # panoramisk is not typed
    """One TCP connection to Asterisk's manager.

    Args:
        on_message: gets every event, and every event of a list that nobody waits for.
        on_lost: called once, with a sentence, when the connection has ended.
        on_banner: called once when Asterisk's banner has come.
    """

    def __init__(
        self,
        on_message: Callable[[Message], object],
        on_lost: Callable[[str, str], None],
        on_banner: Callable[[], None],
    ) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_banner = on_banner
        self._parser = AmiParser()
        self._pending: dict[str, Pending] = {}
        self._forgotten: OrderedDict[str, None] = OrderedDict()
        self._prefix = f"ivr-{id(self):x}-"
        self._count = 0
        self._why: tuple[str, str] | None = None
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.received = 0
        """Chunks received so far; the heartbeat tells a silent link from a slow one by it."""

    @property
    def version(self) -> str:
        """The protocol version that Asterisk's banner names."""
        return self._parser.version

    # -- asyncio.Protocol ------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; nothing is sent before the banner has come."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Parse and dispatch; a bad stream ends the connection."""
        self.received += 1
        had_banner = bool(self._parser.version)
        messages = self._parser.feed(data)
        if not had_banner and self._parser.version:
            self._on_banner()
        for message in messages:
            if self.closed:
                return
            self.handle_message(message)
        if self._parser.error is not None:
            self.drop(self._parser.error.sentence, self._parser.error.zh)

    def eof_received(self) -> bool:
        """Asterisk closed its side: so do we."""
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        """Fail what still waits and tell the link."""
        if exc is None:
            why = ("Asterisk closed the manager connection", "Asterisk 关闭了管理连接")
        else:
            why = (f"the manager connection broke: {exc}", f"管理连接中断：{exc}")
        self._end(*(self._why or why))

    # -- messages --------------------------------------------------------------------------
    def handle_message(self, message: Message) -> None:
        """Give a message to the action that waits for it, or to the link."""
        name = message.name
        if name and not self._pending and not self._forgotten:
            self._on_message(message)
            return
        action_id = message.action_id
        pending = self._pending.get(action_id) if action_id else None
        if name:
            if pending is None or not pending.items or not pending.listing:
                if action_id in self._forgotten:
                    self._see_late_item(action_id, message)
                else:
                    self._on_message(message)
            else:
                self._add_item(action_id, pending, message)
        elif pending is not None:
            self._answer(action_id, pending, message)
        elif action_id:
            log.info("late answer to %s dropped: %s", action_id, message.message)

    def _answer(self, action_id: str, pending: Pending, response: Message) -> None:
        starts_list = response.get("EventList").lower() == "start"
        if pending.listing is None:
            pending.listing = starts_list
        pending.items.append(response)
        if not pending.listing or not response.success or not starts_list:
            self._finish(action_id, pending)

    def _add_item(self, action_id: str, pending: Pending, event: Message) -> None:
        pending.items.append(event)
        if event.get("EventList").lower() in ("complete", "cancelled"):
            self._finish(action_id, pending)
        elif len(pending.items) > pending.limit + 1:
            self._forget(action_id)
            self._fail(
                action_id, pending, AmiOverflow(f"{pending.name} listed more than {pending.limit} entries")
            )

    def _see_late_item(self, action_id: str, event: Message) -> None:
        if event.get("EventList").lower() in ("complete", "cancelled"):
            self._forgotten.pop(action_id, None)

    def _forget(self, action_id: str) -> None:
        """Remember that a list was given up, so that its late entries do not pass for news."""
        self._forgotten[action_id] = None
        if len(self._forgotten) > _FORGOTTEN_LISTS:
            self._forgotten.popitem(last=False)

    # -- actions ---------------------------------------------------------------------------
    def submit(
        self,
        name: str,
        headers: Mapping[str, HeaderValue] | None,
        timeout_s: float,
        *,
        listing: bool | None = False,
        limit: int = MOST_ENTRIES,
    ) -> Pending:
        """Send one action; its ``Pending.future`` gets the response and the list's events.

        Raises:
            AmiDown: the connection is gone.
            UnsafeValue: a name or value cannot stand on one line.
        """
        if self.closed or self.transport is None:
            raise AmiDown("there is no manager connection", "与 Asterisk 的管理连接已断开")
        self._count += 1
        action_id = f"{self._prefix}{self._count}"
        data = encode_action(name, {"ActionID": action_id, **(headers or {})})
        pending = Pending(name, listing, limit)
        self._pending[action_id] = pending
        pending.timer = asyncio.get_running_loop().call_later(
            timeout_s, self._expire, action_id, pending, timeout_s
        )
        pending.future.add_done_callback(lambda _: self._drop_pending(action_id, pending))
        self.transport.write(data)
        return pending

    def _expire(self, action_id: str, pending: Pending, timeout_s: float) -> None:
        if pending.listing is not False:
            self._forget(action_id)
        error = AmiTimeout(
            f"Asterisk did not answer {pending.name} within {timeout_s:g} s",
            f"Asterisk 在 {timeout_s:g} 秒内没有答复 {pending.name}",
        )
        self._fail(action_id, pending, error)

    def _finish(self, action_id: str, pending: Pending) -> None:
        self._drop_pending(action_id, pending)
        if not pending.future.done():
            pending.future.set_result(pending.items)

    def _fail(self, action_id: str, pending: Pending, error: Exception) -> None:
        self._drop_pending(action_id, pending)
        if not pending.future.done():
            pending.future.set_exception(error)

    def _drop_pending(self, action_id: str, pending: Pending) -> None:
        """Stop waiting; also what happens when the caller of an action is cancelled."""
        if pending.timer is not None:
            pending.timer.cancel()
        if self._pending.pop(action_id, None) is not None and pending.future.cancelled() and pending.listing:
            self._forget(action_id)

    # -- the end ---------------------------------------------------------------------------
    def drop(self, sentence: str, zh: str) -> None:
        """End the connection now, without waiting for what is unsent.

        A half-open peer would never acknowledge, so a polite close could last for ever.
        """
        self._why = self._why or (sentence, zh)
        transport = self.transport
        self._end(*self._why)
        if transport is not None:
            transport.abort()

    def close(self) -> None:
        """End the connection on purpose."""
        self.drop("the manager link was closed", "管理连接已关闭")

    def _end(self, sentence: str, zh: str) -> None:
        if self.closed:
            return
        self.closed = True
        for action_id, pending in list(self._pending.items()):
            self._fail(action_id, pending, AmiDown(f"{pending.name} got no answer: {sentence}", zh))
        self._on_lost(sentence, zh)
