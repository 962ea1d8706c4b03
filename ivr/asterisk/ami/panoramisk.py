"""panoramisk's public surface, kept working and mended: mappings as actions, event patterns.

Programs written for panoramisk go on working on a ``Link``.  Nothing here may raise into the
connection: a callback is somebody else's code.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from panoramisk import Manager

from ivr.asterisk.ami.codec import HeaderValue, Message
from ivr.asterisk.ami.protocol import MOST_ENTRIES, LinkProtocol, Pending
from ivr.asterisk.ami.states import AmiDown, AmiRefused, AmiTimeout, LinkState, StateBoard
from ivr.errors import HotlineError

log = logging.getLogger(__name__)


class MendedManager(Manager):  # type: ignore[misc]  # panoramisk is not typed
    """What panoramisk's ``Manager`` offers its users, without its defects."""

    protocol: LinkProtocol | None
    authenticated: bool
    _board: StateBoard
    _login_limit_s = 10.0
    _on_event: Callable[[Message], None] | None

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        # The base class repeats unanswered actions when Asterisk says FullyBooted.
        self.callbacks.clear()
        self.patterns.clear()
        self._closed = False
        self._refused: AmiRefused | None = None
        self._callback_tasks: set[asyncio.Future[Any]] = set()

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._board.state

    @property
    def reason(self) -> str:
        """Why the link is not LIVE, in a sentence; ``''`` when it is."""
        return self._board.reason

    @property
    def reason_zh(self) -> str:
        """The same in Chinese."""
        return self._board.reason_zh

    async def start(self) -> None:
        """Begin to connect."""
        raise NotImplementedError

    def connect(self, *_: object, **__: object) -> asyncio.Task[None]:
        """Start, as panoramisk's users do; the task ends well only after a granted login.

        Returns:
            A task that raises AmiRefused on a wrong password and AmiTimeout if nobody answers.
        """
        return asyncio.ensure_future(self._first_login())

    async def _first_login(self) -> None:
        await self.start()
        try:
            async with asyncio.timeout(self._login_limit_s):
                while not self.authenticated:
                    if self._refused is not None:
                        raise self._refused
                    if self._closed:
                        raise AmiDown(self.reason, self.reason_zh)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AmiTimeout(self.reason, self.reason_zh) from None

    def _submit(
        self,
        name: str,
        headers: Mapping[str, HeaderValue] | None,
        timeout_s: float | None,
        *,
        listing: bool | None,
        limit: int = MOST_ENTRIES,
    ) -> Pending:
        raise NotImplementedError

    def send_action(
        self, action: MutableMapping[str, Any], as_list: bool | None = None, **kwargs: Any
    ) -> asyncio.Future[Any]:
        """Send an action written as a mapping, the way panoramisk's users do.

        Args:
            action: headers with ``Action`` among them, in any case; an ActionID is replaced.
            as_list: whether a list follows; None: as the response says.
            kwargs: further headers.

        Returns:
            A future with the response, or with ``[response, *events]`` for a list.  A refusal
            is a response whose ``success`` is False, not an exception.
        """
        headers = {**action, **kwargs}
        names = {key.lower(): key for key in headers}
        name = str(headers.pop(names["action"])) if "action" in names else ""
        for ours in ("actionid", "commandid"):
            if ours in names:
                headers.pop(names[ours])
        result = asyncio.get_running_loop().create_future()
        result.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            pending = self._submit(name, headers, None, listing=as_list)
        except HotlineError as error:
            result.set_exception(error)
            return result
        pending.future.add_done_callback(lambda done: _hand_over(done, pending, result))
        return result

    def send_command(self, command: str, as_list: bool | None = False) -> asyncio.Future[Any]:
        """Run a CLI command; a future with the response, whose ``Output`` repeats."""
        return self.send_action({"Action": "Command", "Command": command}, as_list=as_list)

    def dispatch(self, event: Message) -> list[str]:
        """Hand an event to ``on_event`` and to the patterns registered with register_event.

        Returns:
            The patterns that matched.
        """
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:
                log.exception("on_event failed on %s; the event is lost to it, the link goes on", event.name)
        matched = [pattern for pattern, regexp in self.patterns if regexp.match(event.name)]
        for pattern in matched:
            for callback in self.callbacks[pattern]:
                self._call_back(callback, event)
        if event.name == "Shutdown" and self.protocol is not None:
            self.protocol.drop("Asterisk is shutting down", "Asterisk 正在关闭")
        return matched

    def _call_back(self, callback: Callable[[MendedManager, Message], object], event: Message) -> None:
        try:
            result = callback(self, event)
        except Exception:
            log.exception("callback for %s failed; the link goes on", event.name)
            return
        if asyncio.iscoroutine(result) or isinstance(result, asyncio.Future):
            task = asyncio.ensure_future(result)
            self._callback_tasks.add(task)
            task.add_done_callback(self._callback_done)

    def _callback_done(self, task: asyncio.Future[Any]) -> None:
        self._callback_tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("asynchronous callback failed", exc_info=task.exception())


def _hand_over(done: asyncio.Future[list[Message]], pending: Pending, result: asyncio.Future[Any]) -> None:
    """Give the outcome of an action to the future that panoramisk's users hold."""
    if result.done():
        return
    if done.cancelled():
        result.cancel()
    elif (error := done.exception()) is not None:
        result.set_exception(error)
    else:
        items = done.result()
        result.set_result(items if pending.listing and len(items) > 1 else items[0])
