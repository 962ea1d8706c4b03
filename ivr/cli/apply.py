"""``ivr apply``: take a changed configuration into service while calls go on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from ivr.api import socket as control
from ivr.api.socket import EngineAway
from ivr.asterisk.install.instance import Instance
from ivr.cli import prompts as announcements
from ivr.cli.common import (
    echo,
    json_option,
    language,
    plain_errors,
    print_json,
    print_table,
    say,
    told_if_unwritable,
)
from ivr.cli.moved_codes import tell_moved_codes
from ivr.cli.planning import tell_roster_effect
from ivr.cli.room import warn_if_seats_ring_in_vain
from ivr.engine.upkeep.lock import running_pid
from ivr.errors import HotlineError
from ivr.home.settings import Settings, load
from ivr.rollout import changes as differences
from ivr.rollout import prompt_recordings as recordings
from ivr.rollout import staging as deployment
from ivr.rollout.history import Change
from ivr.rollout.prepare import (
    Prepared,
    history_of,
    only_one,
    owner,
    place_fingerprint,
    point_to,
    refuse_unsettled,
    take,
    take_back,
    versions_of,
)
from ivr.rollout.start import bring_in, settle_without_asterisk
from ivr.rollout.states import ApplyEvent, ApplyRefused, ApplyState

_SWITCH_LIMIT_S = 60.0
_RESULTS = {
    ApplyState.VERIFIED: ("runs", "已生效"),
    ApplyState.ROLLED_BACK: ("rolled back", "已恢复原配置"),
    ApplyState.REFUSED: ("refused", "被拒绝"),
    ApplyState.TAKEN: ("being examined", "检查中"),
    ApplyState.PREPARED: ("waits for the switch", "等待切换"),
    ApplyState.SWAPPED: ("being verified", "核对中"),
    ApplyState.ROLLING_BACK: ("being rolled back", "恢复中"),
}


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--by", default="", help="Who changes it; default: the user. 操作人。")
@click.option("--comment", default="", help="Why; kept with the version. 说明。")
@click.option("--undo", is_flag=True, help="Go back to the version before. 恢复上一版本。")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What a new roster does, as a picture. 排班效果图。",
)
@click.option("--history", "look", is_flag=True, help="Show every change. 查看变更历史。")
@json_option
@plain_errors
def apply(
    folder: Path | None, by: str, comment: str, undo: bool, html: Path | None, look: bool, as_json: bool
) -> None:
    """Make a folder the running configuration without disturbing calls. 应用配置,不影响通话。"""
    settings = load()
    if look:
        _show(settings, as_json)
        return
    if undo and folder is not None:
        raise click.UsageError("--undo takes no folder")
    by = by or owner()
    steps = Steps(quiet=as_json)
    with told_if_unwritable(), only_one(settings):
        live = _live(settings)
        _prepare_home(settings, live)
        if undo and (recorded := recordings.newest(settings)) is not None:
            _undo_recording(settings, recorded, by, as_json)
            return
        if undo:
            prepared: Prepared | None = take_back(settings, by, steps)
        else:
            where = (folder or settings.config).absolute()
            prepared = take(settings, where, by, steps, comment=comment, live=live)
        if prepared is None:
            _nothing(settings, as_json)
            return
        if not as_json:
            _foretell(prepared, html)
        warn_if_seats_ring_in_vain(settings, prepared.new)
        done = switch(settings, prepared.change, steps) if live else _offline(settings, prepared.change)
    if as_json:
        print_json({"changed": True, **_rows(settings, [done])[0]})
    elif live:
        say(f"version {done.version} runs.", f"版本 {done.version} 已生效。")
    else:
        say(
            f"version {done.version} is in place; nothing runs now, it counts from the next `ivr up` on.",
            f"版本 {done.version} 已就位;当前没有运行,下次 ivr up 时生效。",
        )


def _undo_recording(settings: Settings, change: Change, by: str, as_json: bool) -> None:
    done = recordings.take_back(settings, change, by)
    announcements.reload(settings)
    if as_json:
        print_json({"changed": True, **(_rows(settings, [done])[0] if done else {})})
        return
    prompt = change.recording["prompt"]
    say(f"{prompt} plays its former recording again.", f"{prompt} 已恢复原来的录音。")


class Steps:
    """Tells the steps as they come."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._began = time.monotonic()

    def __call__(self, english: str, chinese: str) -> None:
        """Print a step with the seconds since the beginning."""
        took_s = time.monotonic() - self._began
        text = chinese if language() == "zh" else english
        echo(f"{took_s:5.1f} s  {text}", err=self._quiet)


def _live(settings: Settings) -> bool:
    """Tell whether a hotline runs, and whether it could take a change over now.

    Raises:
        HotlineError: it runs and cannot be changed now.
    """
    asterisk = Instance.laid_out(settings.asterisk_home, settings.run, settings.pids).pid()
    if running_pid(settings) is None and (asterisk is None or settings.external_asterisk):
        return False
    control.ask(settings.run, "can_apply", place=place_fingerprint(settings))
    return True


def _prepare_home(settings: Settings, live: bool) -> None:
    bring_in(settings)
    if not live and not settings.external_asterisk:
        settle_without_asterisk(settings)
    refuse_unsettled(settings)


def _nothing(settings: Settings, as_json: bool) -> None:
    running = versions_of(settings).running()
    number = running.number if running else 0
    if as_json:
        print_json({"changed": False, "version": number})
    else:
        say(f"nothing changed: version {number} is the same.", f"没有变化:与版本 {number} 相同。")


def _foretell(prepared: Prepared, html: Path | None) -> None:
    table = differences.rows(prepared.change.changes)
    if table:
        print_table(("what", "added", "removed", "changed"), table)
    if prepared.old is not None:
        tell_moved_codes(prepared.old, prepared.new)
        tell_roster_effect(
            prepared.old, prepared.new, datetime.now(ZoneInfo(prepared.new.timezone)).date(), html
        )


def switch(settings: Settings, change: Change, steps: Steps) -> Change:
    """Let the engine switch, and wait for the outcome even if the engine ends meanwhile.

    Raises:
        HotlineError: refused or rolled back.
    """
    steps("switching and asking Asterisk", "切换并核对 Asterisk")
    try:
        control.ask(
            settings.run, "apply", _SWITCH_LIMIT_S, change=change.id, place=place_fingerprint(settings)
        )
    except EngineAway:
        steps("the engine ended; waiting until it has settled this", "引擎中断,等待其恢复后处理")
        return _outcome(settings, change.id)
    return history_of(settings).change(change.id)


def _outcome(settings: Settings, number: int) -> Change:
    deadline = time.monotonic() + _SWITCH_LIMIT_S
    while (change := history_of(settings).change(number)).open and time.monotonic() < deadline:
        time.sleep(0.1)
    if change.state is ApplyState.VERIFIED:
        return change
    english, chinese = _RESULTS[change.state]
    raise ApplyRefused(f"{english}: {change.why}", f"{chinese}:{change.why_zh}")


def _offline(settings: Settings, change: Change) -> Change:
    """Put a version in place while nothing runs."""
    deployment.write_away_script(settings)
    point_to(settings, change.version, change.rendered)
    history = history_of(settings)
    history.step(change.id, ApplyEvent.SWAPPED, time.time())
    why, zh = "nothing ran; it counts from the next start", "当时没有运行,下次启动时生效"
    return history.step(change.id, ApplyEvent.VERIFIED, time.time(), why=why, why_zh=zh)


def row(change: Change, runs: int, zone: tzinfo | None) -> dict[str, Any]:
    """Return a change as ``--history --json`` shows it.

    Args:
        change: the change.
        runs: the newest change that was verified, 0 for none.
        zone: the hotline's; None: this machine's.
    """
    return {
        "change": change.id,
        "version": change.version,
        "former": change.former,
        "at": datetime.fromtimestamp(change.at, UTC).astimezone(zone).isoformat(timespec="milliseconds"),
        "by": change.by,
        "from": change.folder,
        "how": change.how,
        "comment": change.comment,
        "result": change.state.value,
        "why": change.why_zh if language() == "zh" else change.why,
        "summary": differences.summary(change.changes),
        "changes": dict(change.changes),
        "running": change.id == runs,
    }


def _rows(settings: Settings, changes: Sequence[Change]) -> list[dict[str, Any]]:
    verified = [change.id for change in history_of(settings).changes() if change.state is ApplyState.VERIFIED]
    zone = None
    with contextlib.suppress(HotlineError):  # the history is told whatever became of the files
        zone = ZoneInfo(deployment.running_book(settings).timezone)
    return [row(change, max(verified, default=0), zone) for change in changes]


def _show(settings: Settings, as_json: bool) -> None:
    found = _rows(settings, history_of(settings).changes()[::-1])
    if as_json:
        print_json(found)
        return
    index = 1 if language() == "zh" else 0
    columns = ("change", "version", "at", "by", "from", "how", "result", "summary", "why")
    print_table(
        columns,
        [
            [*(r[c] for c in columns[:6]), _RESULTS[ApplyState(r["result"])][index], r["summary"], r["why"]]
            for r in found
        ],
    )
