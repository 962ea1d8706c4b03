"""``ivr up``, ``down``, ``status``, ``setup``, ``asterisk``."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import click
import psutil

from ivr.asterisk.instance import Instance
from ivr.commands.common import (
    echo,
    json_option,
    language,
    plain_errors,
    print_json,
    print_table,
    refused,
    say,
    settings_and_book,
    told_if_unwritable,
)
from ivr.control import EngineAway, ask
from ivr.settings import Settings, load

PARTS = ("engine", "asterisk", "ami", "fastagi", "database", "speech")
_START_LIMIT_S = 60.0
_AGAIN = "the engine does not answer yet; it is started again by itself: if this lasts, see {log}."


def parts_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the state of every part; never raises for one that is away."""
    try:
        parts: dict[str, dict[str, Any]] = ask(settings.run, "status", timeout_s=5)
    except EngineAway as error:
        reason = _why_away(settings) or error.sentence
        parts = {name: {"state": "down", "reason": reason, "pid": None} for name in PARTS}
    parts["asterisk"] = _asterisk_part(settings, parts["ami"])
    return {name: parts[name] for name in PARTS}


def _why_away(settings: Settings) -> str:
    """Return why no engine answers though somebody looks after it: `ivr up` would change nothing."""
    from ivr import supervisor

    with contextlib.suppress(PermissionError):
        if supervisor.running_pid(settings) is not None:
            return _AGAIN.format(log=settings.logs / "engine.log")
    return ""


def alarms_of(settings: Settings) -> list[dict[str, Any]]:
    """Return the alarms that are up; none where no engine can tell."""
    try:
        alarms: list[dict[str, Any]] = ask(settings.run, "alarms", timeout_s=5)
    except EngineAway:
        return []
    return alarms


def _asterisk_part(settings: Settings, ami: dict[str, Any]) -> dict[str, Any]:
    if settings.external_asterisk:
        return {"state": ami["state"], "reason": ami["reason"] or "the city's own", "pid": None}
    instance = _instance(settings)
    pid = instance.pid()
    if pid is None:
        return {"state": "down", "reason": "it does not run", "pid": None}
    if not instance.ready:
        return {"state": "syncing", "reason": "it is starting", "pid": pid}
    return {"state": "live", "reason": "", "pid": pid}


def _instance(settings: Settings) -> Instance:
    return Instance.laid_out(settings.asterisk_home, settings.run)


def all_live(parts: dict[str, dict[str, Any]]) -> bool:
    """Tell whether every part is live."""
    return all(part["state"] == "live" for part in parts.values())


@click.command()
@click.option("--detach", is_flag=True, help="Return when all parts are live. 全部就绪后返回。")
@plain_errors
@told_if_unwritable()
def up(detach: bool) -> None:
    """Start everything and answer calls. 启动并接听来电。"""
    from ivr import supervisor

    settings = load()
    if supervisor.running_pid(settings) is not None:
        say("already running; nothing was changed.", "已在运行,未作更改。")
        return
    if not detach:
        _foreground(settings)
        return
    process = supervisor.spawn(settings)
    _wait_live(settings, process)
    say("all parts are live; calls are answered.", "全部就绪,可以接听来电。")
    tell_what_was_left(settings)


def tell_what_was_left(settings: Settings) -> None:
    """Say so when a folder with a fault was passed over for the version that ran before."""
    from ivr.applying.starting import is_decided

    if not settings.external_asterisk and not is_decided(settings):
        english = f"{settings.config} has a fault and was not taken up: the version that ran before runs; see `ivr check`."
        chinese = f"{settings.config} 有错误,未采用:仍按之前的版本运行;请用 ivr check 查看。"
        echo(chinese if language() == "zh" else english, err=True)


def _foreground(settings: Settings) -> None:
    from ivr import supervisor
    from ivr.logs import start_logging

    start_logging(settings.logs, "supervisor")
    echo(f"12345: SIP {settings.bind}:{settings.sip_port}, state in {settings.home}, Ctrl-C ends", err=True)
    supervisor.Supervisor(settings, lambda line: echo(line, err=True)).run()


def _wait_live(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    parts: dict[str, dict[str, Any]] = {}
    started_here = True
    while time.monotonic() < deadline:
        if process.poll() is not None and supervisor_of_another(settings):
            started_here = False  # somebody else was faster: wait for theirs
        elif process.poll() is not None:
            lines = (settings.logs / "supervisor.out").read_text(errors="replace").strip().splitlines()
            english, chinese = (lines[-2:] if len(lines) > 1 else lines * 2) or ["it ended", "启动失败"]
            raise refused(english, chinese)
        if not (settings.run / "engine.sock").exists():
            time.sleep(0.03)
            continue
        parts = parts_of(settings)
        if started_here and not _is_child(parts["engine"]["pid"], process.pid):
            time.sleep(0.03)  # an engine that a killed supervisor left, about to be replaced
            continue
        if all_live(parts):
            return
        others = {name: part for name, part in parts.items() if name != "speech"}
        if (
            all_live(others)
            and parts["speech"]["state"] == "down"
            and parts["speech"]["reason"] != "not started"
        ):
            break
        time.sleep(0.05)
    parts = parts or parts_of(settings)
    waiting = "; ".join(
        f"{name}: {part['reason'] or part['state']}"
        for name, part in parts.items()
        if part["state"] != "live"
    )
    raise refused(f"started, but not all parts are live: {waiting}", f"已启动,但有部分未就绪:{waiting}")


def supervisor_of_another(settings: Settings) -> bool:
    """Tell whether a supervisor runs for this state folder."""
    from ivr import supervisor

    return supervisor.running_pid(settings) is not None


def _is_child(pid: int | None, parent: int) -> bool:
    try:
        return pid is not None and psutil.Process(pid).ppid() == parent
    except psutil.Error:
        return False


@click.command()
@plain_errors
def down() -> None:
    """Stop everything; calls in progress end. 停止。"""
    from ivr import supervisor

    settings = load()
    pid = supervisor.running_pid(settings)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        _wait_gone(pid)
    supervisor.Engine(settings).stop_stranger()
    left = None if settings.external_asterisk else _instance(settings).pid()
    if left is not None:
        _instance(settings).stop()
    if pid is None and left is None:
        say("nothing was running.", "没有正在运行的实例。")
    else:
        say("stopped.", "已停止。")


def _wait_gone(pid: int, limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.02)


@click.command()
@json_option
@plain_errors
def status(as_json: bool) -> None:
    """Show every part; exit status 0 only when all are live. 查看各部分状态。"""
    settings = load()
    parts = parts_of(settings)
    alarms = alarms_of(settings)
    if as_json:
        print_json({"parts": parts, "alarms": alarms})
    else:
        print_table(
            ("part", "state", "pid", "reason"),
            [(n, p["state"], p["pid"], p["reason"]) for n, p in parts.items()],
        )
        for alarm in alarms:
            say(f"alarm: {alarm['sentence']}", f"告警:{alarm['sentence_zh']}")
    if not all_live(parts):
        raise SystemExit(1)


@click.command()
@plain_errors
@told_if_unwritable()
def setup() -> None:
    """Fetch or find Asterisk and make the secrets, without starting. 只做准备,不启动。"""
    from ivr import deployment
    from ivr.keys import open_keys

    settings, book = settings_and_book()
    open_keys(settings.home, deployment.sip_users(book), [person.number for person in book.operators])
    if not settings.external_asterisk:
        found = deployment.find_asterisk(settings, lambda line: echo(line, err=True))
        say(f"Asterisk {found.version} is ready.", f"Asterisk {found.version} 已就绪。")


@click.group()
def asterisk() -> None:
    """Attach to an Asterisk that the city already runs. 接入现有的 Asterisk。"""


@asterisk.command()
@click.option(
    "--install",
    "etc",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Write the lines into this /etc/asterisk.",
)
@plain_errors
@told_if_unwritable()
def include(etc: Path | None) -> None:
    """Print, or with --install write, the lines its files must include. 打印或写入需要包含的配置行。"""
    from ivr import deployment
    from ivr.asterisk.external import install, lines_for
    from ivr.keys import open_keys

    settings, book = settings_and_book()
    if not settings.external_asterisk or _instance(settings).pid() is not None:  # its files would be replaced
        raise refused(
            "this hotline runs an Asterisk of its own; to attach to the city's: `ivr down`, "
            "set IVR_ASTERISK=external, then this again.",
            "本热线使用自带的 Asterisk;要接入城市已有的:先 ivr down,设置 IVR_ASTERISK=external,再执行本命令。",
        )
    keys = open_keys(settings.home, deployment.sip_users(book), [person.number for person in book.operators])
    lines = lines_for(deployment.render_pieces(settings, book, keys))
    if etc is None:
        for name, text in lines.items():
            echo(f"; {name}\n{text}")
        return
    changed = install(etc, lines)
    say(
        f"written: {', '.join(changed) or 'nothing, all was there'}",
        f"已写入:{'、'.join(changed) or '无需更改'}",
    )
