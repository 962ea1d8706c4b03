"""The switch to another configuration while calls go on, in the engine.

Both pointers are swapped, Asterisk is told of what changed and then asked for all of it.  Any
difference, and the former version comes back the same way.  Every step is in the history before
the next is done, so whatever is killed, the next start knows what is left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ivr.asterisk.ami.link import AmiDown, AmiTimeout
from ivr.asterisk.install import reloading
from ivr.asterisk.install.reloading import MOVABLE, Difference, Expected
from ivr.errors import HotlineError
from ivr.home.settings import Settings
from ivr.hotline.book import HotlineBook
from ivr.rollout import staging as deployment
from ivr.rollout.history import Change
from ivr.rollout.prepare import (
    book_of,
    history_of,
    only_one,
    point_to,
    refuse_what_needs_a_start,
    versions_of,
)
from ivr.rollout.states import AFTER_A_KILL, ApplyEvent, ApplyRefused, ApplyState, Repair

log = logging.getLogger(__name__)

_TOLD = 3


class Running(Protocol):
    """What the switch asks of Asterisk."""

    async def tell(self, files: Sequence[str]) -> None:
        """Let it read changed files again."""

    async def differences(self, wanted: Expected, gone: Expected) -> list[Difference]:
        """Ask it for what it should have."""

    async def waiting(self) -> dict[str, int]:
        """Return how many callers wait, by queue."""


class Host(Protocol):
    """What the switch asks of the engine."""

    book: HotlineBook

    def placed_in(self, queue: str) -> int:
        """Return how many callers are on their way to a queue or wait in it."""

    def use(self, book: HotlineBook) -> None:
        """Take a book over, with the secrets of its seats and operators."""

    async def align(self) -> None:
        """Bring queue members in line."""

    def applied(self, version: int, by: str) -> None:
        """Journal that a version runs."""


class Switch:
    """Changes of one engine.

    Args:
        settings: where things are.
        host: the engine.
        asterisk: the Asterisk it is attached to.
        between: called with the state just reached, after it is durable; tests end the process there.
    """

    def __init__(
        self,
        settings: Settings,
        host: Host,
        asterisk: Running,
        between: Callable[[ApplyState], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._host = host
        self._asterisk = asterisk
        self._between = between
        self._history = history_of(settings)
        self._lock = asyncio.Lock()
        self._changing = False
        self._unsettled = True
        """Whether a change may have been left open: not known after a start."""

    async def change(self, number: int) -> Change:
        """Carry out a prepared change.

        Raises:
            ApplyRefused: it was not carried out, or rolled back; what ran before runs.
        """
        if self._changing:
            raise ApplyRefused(
                "another change is going on; wait for its end.", "另一项变更正在进行,请稍候。", retry=True
            )
        self._changing = True
        try:
            async with self._lock:  # after a repair that is going on
                return await self._change(number)
        finally:
            self._changing = False

    async def _change(self, number: int) -> Change:
        self._unsettled = True
        change = await asyncio.to_thread(self._history.change, number)
        old = self._host.book
        if change.state is not ApplyState.PREPARED:
            raise ApplyRefused("this change is over; apply again.", "该变更已结束;请重新应用。", retry=True)
        try:
            new = await self._look(change, old)
            await self._leave_queues(old, new)
        except HotlineError as error:
            self._host.book = old
            await self._step(change, ApplyEvent.REFUSED, error.sentence, error.zh)
            raise
        return await self._swap(change, old, new)

    async def _look(self, change: Change, old: HotlineBook) -> HotlineBook:
        """Read the new book and refuse what a running hotline cannot take."""
        running = versions_of(self._settings).running()
        if change.former != (running.number if running else 0):
            raise ApplyRefused(
                "another version came into service meanwhile; apply again.",
                "其间已有其他版本生效;请重新应用。",
                retry=True,
            )
        new = await asyncio.to_thread(book_of, versions_of(self._settings).version(change.version))
        refuse_what_needs_a_start(old, new)
        firm = [name for name in await asyncio.to_thread(self._files, change) if name not in MOVABLE]
        if firm:
            names = ", ".join(firm)
            raise ApplyRefused(
                f"{names} would change, which needs a start: the program or its settings changed since the "
                "start; choose a quiet moment for `ivr down` and `ivr up --detach`.",
                f"{names} 也会改变,需要重新启动:程序或设置在启动后已更改;请选择空闲时段运行 ivr down 和 ivr up --detach。",
            )
        return new

    async def _leave_queues(self, old: HotlineBook, new: HotlineBook) -> None:
        """Let nobody be placed in a queue that goes away, and refuse while somebody is in it.

        Asterisk drops such a queue with the callers in it.
        """
        leaving = {queue.id for queue in old.queues} - {queue.id for queue in new.queues}
        if not leaving:
            return
        self._host.book = new
        waiting = await self._asterisk.waiting()
        for queue in sorted(leaving):
            count = max(waiting.get(queue, 0), self._host.placed_in(queue))
            if count:
                raise ApplyRefused(
                    f"queue {queue} cannot go: {count} callers wait in it; try again when it is empty.",
                    f"队列 {queue} 不能取消:还有 {count} 位来电者在等待;请在队列为空时重试。",
                    retry=True,
                )

    def _files(self, change: Change) -> list[str]:
        new = deployment.rendered(self._settings, change.rendered)
        return reloading.changed_files(deployment.rendered(self._settings, change.former_rendered), new)

    async def _swap(self, change: Change, old: HotlineBook, new: HotlineBook) -> Change:
        self._between(ApplyState.PREPARED)
        try:
            await asyncio.to_thread(point_to, self._settings, change.version, change.rendered)
            change = await self._step(change, ApplyEvent.SWAPPED)
        except (HotlineError, OSError) as error:  # Asterisk was told nothing yet
            await asyncio.to_thread(point_to, self._settings, change.former, change.former_rendered)
            self._host.book = old
            refusal = _as_refusal(error)
            with contextlib.suppress(HotlineError, OSError):  # the next command or start closes it otherwise
                await self._step(change, ApplyEvent.REFUSED, refusal.sentence, refusal.zh)
            raise refusal from error
        why, zh = await self._fault(change)
        if why:
            return await self._restore(await self._step(change, ApplyEvent.FAILED, why, zh), old)
        return await self._verified(change, new)

    async def _fault(self, change: Change) -> tuple[str, str]:
        """Say why the new version cannot stay, in English and in Chinese; empty when it runs."""
        try:
            found = await self._ask(change, new=True)
        except HotlineError as error:
            return error.sentence, error.zh
        return _sentence(found) if found else ("", "")

    async def _ask(self, change: Change, *, new: bool) -> list[Difference]:
        """Tell Asterisk what changed and ask it for all of it; ``new``: the new version, else the former."""
        folders = [deployment.rendered(self._settings, n) for n in (change.former_rendered, change.rendered)]
        gone, wanted = await asyncio.to_thread(lambda: [reloading.expected(folder) for folder in folders])
        if not new:
            gone, wanted = wanted, gone
        await self._asterisk.tell(await asyncio.to_thread(self._files, change))
        return await self._asterisk.differences(wanted, gone)

    async def _verified(self, change: Change, new: HotlineBook, why: str = "", zh: str = "") -> Change:
        self._host.use(new)
        change = await self._step(change, ApplyEvent.VERIFIED, why, zh)
        self._host.applied(change.version, change.by)
        with contextlib.suppress(HotlineError):  # the next reconciliation does it again
            await self._host.align()
        log.info("version %d runs (by %s)", change.version, change.by)
        return change

    async def _restore(self, change: Change, old: HotlineBook) -> Change:
        """Put the former version back and say why.

        Raises:
            ApplyRefused: always, with the reason.
        """
        self._host.use(old)
        why, zh = change.why, change.why_zh
        await asyncio.to_thread(point_to, self._settings, change.former, change.former_rendered)
        try:
            left = await self._ask(change, new=False)
        except (AmiDown, AmiTimeout) as error:
            raise ApplyRefused(
                f"rolled back: {why}. Asterisk does not answer now ({error.sentence}) and is set right when it does.",
                f"已恢复原配置:{zh}。Asterisk 现在没有响应,恢复连接后会继续核对。",
            ) from error
        except HotlineError as error:
            left = [Difference(error.sentence, error.zh)]
        if left:
            also, also_zh = _sentence(left)
            why, zh = f"{why} (before the change too: {also})", f"{zh}(变更之前已有:{also_zh})"
        change = await self._step(change, ApplyEvent.RESTORED, why, zh)
        with contextlib.suppress(HotlineError):
            await self._host.align()
        raise ApplyRefused(
            f"rolled back, version {change.former} goes on: {why}",
            f"已恢复,版本 {change.former} 继续运行:{zh}",
        )

    async def _step(self, change: Change, event: ApplyEvent, why: str = "", zh: str = "") -> Change:
        moved = await asyncio.to_thread(self._history.step, change.id, event, time.time(), why=why, why_zh=zh)
        self._between(moved.state)
        return moved

    # -- after a kill --------------------------------------------------------------------------
    async def settle(self) -> None:
        """Finish or roll back a change that a kill cut short; to be called when Asterisk answers.

        Raises:
            HotlineError: Asterisk went away again; the next call goes on.
        """
        if not self._unsettled or self._changing:  # not cut short but going on
            return
        async with self._lock:
            change = await asyncio.to_thread(self._history.newest)
            if change is None or change.state not in _LEFT:
                self._unsettled = False
                return
            versions = versions_of(self._settings)
            former = book_of(versions.version(change.former))
            with contextlib.suppress(ApplyRefused):
                if AFTER_A_KILL[change.state] is Repair.FINISH:
                    await self._finish(change, book_of(versions.version(change.version)), former)
                else:
                    await self._restore(change, former)
        log.warning("change %d was cut short: %s", change.id, self._history.change(change.id).state)

    async def _finish(self, change: Change, new: HotlineBook, former: HotlineBook) -> None:
        try:
            found = await self._ask(change, new=True)
            why, zh = _sentence(found) if found else ("", "")
        except (AmiDown, AmiTimeout):
            raise  # nobody can be asked now
        except HotlineError as error:
            why, zh = error.sentence, error.zh
        if why:
            await self._restore(await self._step(change, ApplyEvent.FAILED, why, zh), former)
        await self._verified(change, new, "finished after the engine started again", "引擎重新启动后完成")


_LEFT = (ApplyState.SWAPPED, ApplyState.ROLLING_BACK)


def resume(settings: Settings) -> None:
    """Let the files be whole again before an engine reads them: of the new version, or of the former.

    Asterisk is told and asked when it answers (:meth:`Switch.settle`).
    """
    history = history_of(settings)
    change = history.newest()
    if change is None or not change.open:
        return
    if change.state is ApplyState.TAKEN:
        with contextlib.suppress(ApplyRefused), only_one(settings):  # else its command is at work
            history.step(
                change.id, ApplyEvent.REFUSED, time.time(), why="it was interrupted", why_zh="检查过程被中断"
            )
        return
    if change.state is ApplyState.PREPARED:
        why, zh = "the engine ended before the switch", "引擎在切换之前退出"
        change = history.step(change.id, ApplyEvent.FAILED, time.time(), why=why, why_zh=zh)
    if AFTER_A_KILL[change.state] is Repair.FINISH:
        point_to(settings, change.version, change.rendered)
    else:
        point_to(settings, change.former, change.former_rendered)


def _as_refusal(error: Exception) -> HotlineError:
    if isinstance(error, HotlineError):
        return error
    return ApplyRefused(
        f"the files cannot be written ({error}); what ran goes on.", f"无法写入文件({error});原配置继续运行。"
    )


def _sentence(found: Sequence[Difference]) -> tuple[str, str]:
    rest = len(found) - _TOLD
    english, chinese = "; ".join(d.en for d in found[:_TOLD]), ";".join(d.zh for d in found[:_TOLD])
    if rest > 0:
        english, chinese = f"{english} and {rest} more", f"{chinese} 等另外 {rest} 处"
    return f"Asterisk differs: {english}", f"Asterisk 与配置不符:{chinese}"
