"""The engine's link to Asterisk's manager: always trying, honest about where it stands.

``Link`` is panoramisk's ``Manager`` with its defects mended: bytes are framed before they are
decoded, a callback that raises costs one log line, values cannot inject headers, a silent peer
is noticed, closing is final, a wrong password is a state one can see, every action has a time
limit, and every action completes whatever it is called.

It must never repeat an action by itself after a reconnect (an ``Originate`` sent twice dials
twice) and must never say LIVE before ``synchronise`` has run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping

from ivr.asterisk.ami.codec import HeaderValue, Message, encode_action
from ivr.asterisk.ami.heartbeat import Heartbeat
from ivr.asterisk.ami.panoramisk import MendedManager
from ivr.asterisk.ami.protocol import MOST_ENTRIES, LinkProtocol, Pending
from ivr.asterisk.ami.states import (
    TRANSITIONS,
    AmiDown,
    AmiError,
    AmiOverflow,
    AmiRefused,
    AmiTimeout,
    Backoff,
    LinkEvent,
    LinkState,
    StateBoard,
)
from ivr.asterisk.ami.values import UnsafeValue, clean
from ivr.errors import HotlineError

__all__ = [
    "TRANSITIONS",
    "AmiDown",
    "AmiError",
    "AmiOverflow",
    "AmiRefused",
    "AmiTimeout",
    "Backoff",
    "Link",
    "LinkEvent",
    "LinkState",
    "Message",
    "UnsafeValue",
    "clean",
    "encode_action",
]

log = logging.getLogger(__name__)


class Link(MendedManager):
    """A manager connection that keeps itself up.

    Args:
        host: address of Asterisk's manager.
        port: its port (5038 as shipped).
        username: section of ``manager.conf``.
        secret: its secret; never logged.
        on_event: called for every event, in order, in the event loop; what it raises is
            logged and changes nothing.
        synchronise: awaited after each login, before LIVE: compare and repair what the engine
            believes. Events are delivered meanwhile. If it raises, the link is dropped and
            tried again.
        on_state: called after each change of state.
        heartbeat_s: seconds between two pings; a ping that finds only silence for as long
            ends the link, one that goes unanswered on a talking link ends it after five times
            as long.
        action_timeout_s: seconds an action may take unless it says otherwise.
        sync_timeout_s: seconds ``synchronise`` may take.
        boot_wait_s: seconds to wait for FullyBooted after the login before synchronising.
        backoff: waits between attempts.
        rng: source of jitter.
        events: the ``Events`` header of the login (``on``, or classes such as ``call,agent``).
    """

    def __init__(  # noqa: PLR0913  # one place builds it, by keyword
        self,
        host: str,
        port: int,
        username: str,
        secret: str,
        *,
        on_event: Callable[[Message], None] | None = None,
        synchronise: Callable[[Link], Awaitable[None]] | None = None,
        on_state: Callable[[LinkState], None] | None = None,
        heartbeat_s: float = 2.0,
        action_timeout_s: float = 5.0,
        sync_timeout_s: float = 30.0,
        boot_wait_s: float = 1.0,
        backoff: Backoff | None = None,
        rng: random.Random | None = None,
        events: str = "on",
    ) -> None:
        super().__init__(host=host, port=port, username=username, secret=secret, events=events, log=log)
        self.config["protocol_factory"] = self._make_protocol
        self.host, self.port = host, port
        self._board = StateBoard(on_state)
        self._on_event = on_event
        self._synchronise = synchronise
        self._heartbeat = Heartbeat(heartbeat_s)
        self._action_timeout_s = action_timeout_s
        self._sync_timeout_s = sync_timeout_s
        self._boot_wait_s = boot_wait_s
        self._backoff = backoff or Backoff()
        self._rng = rng or random.Random()
        self._runner: asyncio.Task[None] | None = None
        self._banner: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[None] | None = None
        self._booted = asyncio.Event()

    # -- life ------------------------------------------------------------------------------
    async def start(self) -> None:
        """Begin to connect in the background; returns at once.

        Raises:
            AmiDown: the link was closed before.
        """
        if self._closed:
            raise AmiDown("a closed manager link cannot be started again")
        if self._runner is None:
            self.loop = asyncio.get_running_loop()
            self._board.explain("connecting", "正在连接")
            self._runner = self.loop.create_task(self._run(), name=f"ami {self.host}:{self.port}")

    def close(self) -> asyncio.Future[None]:
        """End the link for good; the result may be awaited.  No reconnect follows."""
        self._closed = True
        if self.protocol is not None:
            self.protocol.close()
        loop = asyncio.get_running_loop()
        runner, self._runner = self._runner, None
        self._board.explain("closed", "已关闭")
        if runner is not None:
            runner.cancel()
        if runner is None or runner is asyncio.current_task():
            done: asyncio.Future[None] = loop.create_future()
            done.set_result(None)
            return done
        return asyncio.ensure_future(_settled(runner))

    async def wait_live(self, timeout_s: float) -> None:
        """Wait until the link is LIVE.

        Raises:
            AmiTimeout: it is not, after ``timeout_s`` seconds; the sentence says why.
        """
        await self._board.wait_live(timeout_s)

    @property
    def live(self) -> bool:
        """Whether Asterisk answers, and what the engine believes was compared with it."""
        return self.state is LinkState.LIVE

    @property
    def lag_s(self) -> float | None:
        """Seconds the last heartbeat took there and back; None while there is none."""
        return self._heartbeat.lag_s

    @property
    def late(self) -> bool:
        """Whether heartbeats come back late (over half a heartbeat): events may be late too."""
        return self._heartbeat.late

    # -- asking ----------------------------------------------------------------------------
    async def action(
        self, name: str, headers: Mapping[str, HeaderValue] | None = None, *, timeout_s: float | None = None
    ) -> Message:
        """Carry out one action and return Asterisk's response.

        Raises:
            AmiRefused: Asterisk said no, in its own words.
            AmiTimeout: no answer in ``timeout_s`` seconds; it may have been carried out.
            AmiDown: the link is not up, or broke before the answer.
            UnsafeValue: a value cannot stand on one line.
        """
        pending = self._submit(name, headers, timeout_s, listing=False)
        return _granted(name, await pending.future)[0]

    async def list_action(
        self,
        name: str,
        headers: Mapping[str, HeaderValue] | None = None,
        *,
        timeout_s: float | None = None,
        limit: int = MOST_ENTRIES,
    ) -> list[Message]:
        """Carry out an action that answers with a list, and return its entries.

        The closing ``...Complete`` event is not among them.

        Raises:
            AmiRefused, AmiTimeout, AmiDown, UnsafeValue: as :meth:`action`.
            AmiOverflow: more than ``limit`` entries.
        """
        pending = self._submit(name, headers, timeout_s, listing=True, limit=limit)
        items = _granted(name, await pending.future)
        return [item for item in items[1:] if not item.get("EventList")]

    async def command(self, cli: str, *, timeout_s: float | None = None) -> list[str]:
        """Run a CLI command and return its lines of output.

        Raises:
            AmiRefused: no such command. Other failures of a command look like success: read
                the lines.
            AmiTimeout, AmiDown, UnsafeValue: as :meth:`action`.
        """
        return (await self.action("Command", {"Command": cli}, timeout_s=timeout_s)).get_all("Output")

    def _submit(
        self,
        name: str,
        headers: Mapping[str, HeaderValue] | None,
        timeout_s: float | None,
        *,
        listing: bool | None,
        limit: int = MOST_ENTRIES,
    ) -> Pending:
        if self.state not in (LinkState.SYNCING, LinkState.LIVE):
            raise AmiDown(f"{name} was not sent: {self.reason}", f"{name} 未发送：{self.reason_zh}")
        limit_s = self._action_timeout_s if timeout_s is None else timeout_s
        assert self.protocol is not None  # the state says so
        return self.protocol.submit(name, headers, limit_s, listing=listing, limit=limit)

    # -- the runner ------------------------------------------------------------------------
    async def _run(self) -> None:
        failures = 0
        told = ""
        while not self._closed:
            refused = False
            was_live = False
            try:
                was_live = await self._one_connection()
            except AmiRefused as error:
                refused, self._refused = True, error
                self._board.explain(error.sentence, error.zh)
            except (OSError, TimeoutError) as error:
                text = "timed out" if isinstance(error, TimeoutError) else (error.strerror or str(error))
                self._board.explain(
                    f"cannot connect to Asterisk's manager at {self.host}:{self.port}: {text}",
                    f"无法连接 Asterisk 管理端口 {self.host}:{self.port}：{text}",
                )
            except HotlineError as error:
                self._board.explain(error.sentence, error.zh)
            except Exception as error:
                log.exception("the manager link met a defect of ours and starts again")
                self._board.explain(f"internal error: {error!r}", f"内部错误：{error!r}")
            failures = 0 if was_live else failures + 1
            told = "" if was_live else told
            wait_s = self._backoff.delay(max(failures - 1, 0), self._rng, refused=refused)
            # An Asterisk that is away for a day is one line, not ten thousand.
            level = logging.DEBUG if self.reason == told else logging.WARNING
            told = self.reason
            log.log(level, "manager link down: %s; next attempt in %.2f s", told, wait_s)
            await self._sleep(wait_s)

    async def _sleep(self, seconds: float) -> None:
        """Wait before the next attempt (a test may put virtual time here)."""
        await asyncio.sleep(seconds)

    async def _one_connection(self) -> bool:
        """Connect, log in, synchronise, and stay until the connection ends.

        Returns:
            Whether the link was LIVE.
        """
        loop = asyncio.get_running_loop()
        self._banner, self._lost = loop.create_future(), loop.create_future()
        async with asyncio.timeout(self._action_timeout_s):
            _, protocol = await loop.create_connection(self.config["protocol_factory"], self.host, self.port)
        try:
            self.protocol = protocol
            if protocol.closed:  # gone before we could look at it
                return False
            self._board.step(LinkEvent.OPENED, "logging in", "正在登录")
            await self._log_in(protocol)
            if protocol.closed:  # granted and gone in one breath
                return False
            self._board.step(LinkEvent.LOGGED_IN, "synchronising", "正在同步")
            return await self._serve(protocol)
        except HotlineError as error:
            protocol.drop(error.sentence, error.zh)
            raise
        finally:
            self.authenticated = False
            protocol.drop("the manager link starts again", "管理连接重新开始")

    async def _log_in(self, protocol: LinkProtocol) -> None:
        assert self._banner is not None
        try:
            async with asyncio.timeout(self._action_timeout_s):
                await self._banner
        except TimeoutError:
            raise AmiTimeout(
                f"{self.host}:{self.port} accepted the connection but sent no manager banner",
                f"{self.host}:{self.port} 接受了连接，但没有发送管理接口标识",
            ) from None
        headers = {
            "Username": self.config["username"],
            "Secret": self.config["secret"],
            "Events": self.config["events"],
        }
        pending = protocol.submit("Login", headers, self._action_timeout_s)
        response = (await pending.future)[0]
        if not response.success:
            raise AmiRefused(
                f"Asterisk refused the manager login of {self.config['username']!r}: {response.message}; "
                "check user and secret in manager.conf",
                f"Asterisk 拒绝了管理用户 {self.config['username']!r} 的登录：{response.message}；"
                "请检查 manager.conf 中的用户和密码",
            )
        self.authenticated, self._refused = True, None

    async def _serve(self, protocol: LinkProtocol) -> bool:
        """Run heartbeat and synchronisation until the connection is lost."""
        assert self._lost is not None
        heart = asyncio.ensure_future(self._heartbeat.run(protocol))
        sync = asyncio.ensure_future(self._sync())
        try:
            await asyncio.wait({sync, self._lost}, return_when=asyncio.FIRST_COMPLETED)
            if self._lost.done():
                return False
            sync.result()
            self._board.step(LinkEvent.SYNCHRONISED, "", "")
            await self._lost
            return True
        finally:
            for task in (heart, sync):
                task.cancel()
            await asyncio.gather(heart, sync, return_exceptions=True)

    async def _sync(self) -> None:
        with contextlib.suppress(TimeoutError):
            # Asterisk accepts logins while its modules still load; a queue asked for then
            # does not exist.  FullyBooted tells, where the user may read system events.
            async with asyncio.timeout(self._boot_wait_s):
                await self._booted.wait()
        if self._synchronise is None:
            return
        try:
            async with asyncio.timeout(self._sync_timeout_s):
                await self._synchronise(self)
        except TimeoutError:
            raise AmiTimeout(
                f"synchronising with Asterisk took more than {self._sync_timeout_s:g} s",
                f"与 Asterisk 同步超过 {self._sync_timeout_s:g} 秒",
            ) from None
        except AmiDown:
            raise  # the link says why
        except Exception as error:
            log.exception("synchronising with Asterisk failed")
            raise AmiError(
                f"synchronising with Asterisk failed: {error}", f"与 Asterisk 同步失败：{error}"
            ) from error

    # -- small things ----------------------------------------------------------------------
    def _make_protocol(self) -> LinkProtocol:
        banner, lost = self._banner, self._lost
        assert banner is not None and lost is not None

        def on_lost(sentence: str, zh: str) -> None:
            if not lost.done():
                lost.set_result(None)
            if not banner.done():
                banner.set_exception(AmiDown(sentence, zh))
                banner.exception()
            self._note_lost(sentence, zh)

        return LinkProtocol(
            self.dispatch, on_lost, lambda: None if banner.done() else banner.set_result(None)
        )

    def dispatch(self, event: Message) -> list[str]:
        """Note what concerns the link itself, then hand the event on."""
        if event.name == "FullyBooted":
            self._booted.set()
        return super().dispatch(event)

    def _note_lost(self, sentence: str, zh: str) -> None:
        self._heartbeat.forget()
        self._booted.clear()
        if self.state is LinkState.DOWN:
            self._board.explain(sentence, zh)
        else:
            self._board.step(LinkEvent.LOST, sentence, zh)


def _granted(name: str, items: list[Message]) -> list[Message]:
    """Return what Asterisk answered, if it was not a refusal."""
    if not items[0].success:
        # A CLI command that does not exist has its complaint in Output, the Message is a phrase.
        said = "; ".join(items[0].get_all("Output")) or items[0].message or "no reason given"
        raise AmiRefused(f"Asterisk refused {name}: {said}", f"Asterisk 拒绝了 {name}：{said}")
    return items


async def _settled(task: asyncio.Task[None]) -> None:
    """Wait for a cancelled task, whatever it ends with."""
    await asyncio.wait({task})
