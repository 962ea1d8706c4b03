"""``ivr up``, ``down``, ``status``, ``setup``, ``asterisk``."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import psutil

from ivr.cli.common import (
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
from ivr.cli.parts import (
    UNKNOWN_CAPACITY,
    alarms_of,
    all_live,
    capacity_of,
    laid_out,
    other_version,
    parts_of,
)
from ivr.errors import HotlineError
from ivr.home.settings import Settings, SettingsError, load_to_look
from ivr.home.settings_faults import SettingFault
from ivr.host import last_words

_START_LIMIT_S = 120.0
_NOT_ASKED_YET = ("", "starting")
"""What the database's part says until it was tried."""
_OF_A_KIND = 3
"""Alarms of one kind that ``ivr status`` prints; ``ivr alarms`` lists all."""


@click.command()
@click.option("--detach", is_flag=True, help="Return when all parts are live. 全部就绪后返回。")
@plain_errors
@told_if_unwritable()
def up(detach: bool) -> None:
    """Start everything and answer calls. 启动并接听来电。"""
    from ivr.home.judging.door import admitted

    if _runs_already():
        say("already running; nothing was changed.", "已在运行，未作更改。")
        _tell_other_version(load_to_look())
        return
    settings = admitted(tell_advice)
    _write_first_configuration(settings)
    if not detach:
        _foreground(settings)
        return
    from ivr.engine import supervisor  # loads everything: only where nothing was wrong

    kept = not settings.external_asterisk and laid_out(settings).pid() is not None
    process = supervisor.spawn(settings)
    _wait_live(settings, process)
    say("all parts are live; calls are answered.", "全部就绪，可以接听来电。")
    tell_what_was_left(settings)
    _warn_of_narrow_room(settings)
    if kept:
        _tell_old_asterisk(settings)
    _tell_dropped_media(settings)


def tell_advice(advice: SettingFault) -> None:
    """Print what is unwise about a setting that does not keep the hotline from starting."""
    english, chinese = f"advice: {advice.sentence}", f"建议：{advice.sentence_zh}"
    echo(chinese if language() == "zh" else english, err=True)


def _write_first_configuration(settings: Settings) -> None:
    """Give an installed hotline that starts in an empty folder something to start with."""
    from ivr.home.judging.first_configuration import write_if_due

    if write_if_due(settings):
        _warn(
            f"{settings.config}: the shipped configuration was written there; it is yours to edit.",
            f"已将自带的配置写入 {settings.config}，可自行修改。",
        )


def _runs_already() -> bool:
    """Tell whether a hotline runs in the state folder, whatever the other settings are by now."""
    try:
        return supervisor_of_another(load_to_look())
    except SettingsError:  # there is no such folder
        return False


def _tell_other_version(settings: Settings) -> None:
    if (why := other_version(parts_of(settings))) is not None:
        say(f"{why[0]}.", f"{why[1]}。")


def tell_what_was_left(settings: Settings) -> None:
    """Say so when the version that ran before runs and not what stands in the folder, and why."""
    from ivr.rollout.start import is_decided, is_running

    if settings.external_asterisk or is_decided(settings):
        return
    try:
        if is_running(settings):
            return
        english = "was changed and not taken up: the version that ran before runs; `ivr apply` takes it up."
        chinese = "已修改，尚未采用：仍按之前的版本运行；请用 ivr apply 使其生效。"
    except HotlineError:
        english = "has a fault and was not taken up: the version that ran before runs; see `ivr check`."
        chinese = "有错误，未采用：仍按之前的版本运行；请用 ivr check 查看。"
    echo(f"{settings.config} {chinese if language() == 'zh' else english}", err=True)


def _warn_of_narrow_room(settings: Settings) -> None:
    from ivr.cli.room import warn_if_seats_ring_in_vain
    from ivr.rollout import staging as deployment

    warn_if_seats_ring_in_vain(settings, deployment.running_book(settings))


def _tell_old_asterisk(settings: Settings) -> None:
    """Say so when Asterisk went on with what other settings or another version gave it: it lacks what is new."""
    from ivr.rollout import staging as deployment
    from ivr.rollout.prepare import keys_for

    book = deployment.running_book(settings)
    instance = deployment.instance_of(settings, deployment.find_asterisk(settings, lambda _: None))
    if not deployment.is_current(settings, book, keys_for(settings, book), instance):
        english = "Asterisk was kept, with what other settings or another version of the program gave it"
        say(
            f"{english}: at an hour with few calls `ivr down`, then `ivr up`.",
            "Asterisk 未重启，仍按其他设置或其他版本的程序运行：请在来电少时先 ivr down，再 ivr up。",
        )


def _tell_dropped_media(settings: Settings) -> None:
    """Say so when the Asterisk that was started or kept drops voices."""
    from ivr.engine import media

    if (told := media.noted(settings)) is not None and told.dropped:
        _warn(*media.sentence(settings, told))


def _foreground(settings: Settings) -> None:
    from ivr.engine import supervisor
    from ivr.home.logs import start_logging

    start_logging(settings.logs, "supervisor")
    echo(f"12345: SIP {settings.bind}:{settings.sip_port}, state in {settings.home}, Ctrl-C ends", err=True)
    supervisor.Supervisor(
        settings,
        lambda line: echo(line, err=True),
        warn=_warn,
        chosen=lambda: _warn_of_narrow_room(settings),
    ).run()


def _warn(english: str, chinese: str) -> None:
    echo(chinese if language() == "zh" else english, err=True)


def _wait_live(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    parts: dict[str, dict[str, Any]] = {}
    started_here, told = True, False
    while time.monotonic() < deadline:
        if process.poll() is not None and supervisor_of_another(settings):
            started_here = False  # somebody else was faster: wait for theirs
        elif process.poll() is not None:
            raise refused(*last_words.heard((settings.logs / "supervisor.out").read_text(errors="replace")))
        if not (settings.run / "engine.sock").exists():
            time.sleep(0.03)
            continue
        parts = parts_of(settings)
        if started_here and not _is_child(parts["engine"]["pid"], process.pid):
            time.sleep(0.03)  # an engine that a killed supervisor left, about to be replaced
            continue
        if all_live(parts):
            return
        if not told:
            told = _tell_of_database(parts["database"])
        others = {name: part for name, part in parts.items() if name != "speech"}
        if (
            all_live(others)
            and parts["speech"]["state"] == "down"
            and parts["speech"]["reason"] != "not started"
        ):
            break
        time.sleep(0.05)
    parts = parts or parts_of(settings)
    away = {name: part for name, part in parts.items() if part["state"] != "live"}
    waiting = "; ".join(f"{name}: {part['reason'] or part['state']}" for name, part in away.items())
    waiting_zh = "；".join(f"{name}：{part['reason_zh'] or part['state']}" for name, part in away.items())
    raise refused(f"started, but not all parts are live: {waiting}", f"已启动，但有部分未就绪：{waiting_zh}")


def _tell_of_database(part: dict[str, Any]) -> bool:
    """Say why the database does not take what is journalled, as soon as that is known; tell whether it was said."""
    if part["state"] != "down" or part["reason"] in _NOT_ASKED_YET:
        return False
    english = f"the database: {part['reason']}"
    chinese = f"数据库：{part['reason_zh']}"
    wait, wait_zh = (
        "still waiting (Ctrl-C ends the waiting, not the hotline)",
        "仍在等待（Ctrl-C 只结束等待，不停止热线）",
    )
    echo(f"{chinese} {wait_zh}。" if language() == "zh" else f"{english} {wait}.", err=True)
    return True


def supervisor_of_another(settings: Settings) -> bool:
    """Tell whether a supervisor runs for this state folder."""
    from ivr.engine.upkeep.lock import running_pid

    return running_pid(settings) is not None


def _is_child(pid: int | None, parent: int) -> bool:
    try:
        return pid is not None and psutil.Process(pid).ppid() == parent
    except psutil.Error:
        return False


@click.command()
@plain_errors
def down() -> None:
    """Stop everything; calls in progress end. 停止。"""
    from ivr.engine.upkeep.ending import end_all

    settings = load_to_look()
    if end_all(settings, None if settings.external_asterisk else laid_out(settings)):
        say("stopped.", "已停止。")
    else:
        say("nothing was running.", "没有正在运行的实例。")


def _tell_capacity(told: dict[str, Any]) -> None:
    if (held := told["capacity"]) is None:
        return
    callers, limit = held["callers"], held["limit"]
    used = "?" if held["rtp_ports_used"] is None else held["rtp_ports_used"]
    refused_today = sum(told["refused"].values())
    counted = "?" if callers is None else callers
    let_in, let_in_zh = f"{counted} of {limit}", f"{counted}/{limit}"
    if callers is not None and callers > limit:  # a change has lowered the limit while they were in
        let_in = (
            f"{callers}, {callers - limit} above the limit of {limit} (who is in stays, nobody new is let in)"
        )
        let_in_zh = f"{callers}，超出上限 {limit} 共 {callers - limit} 通（已接入的不受影响，暂不接入新来电）"
    say(
        f"callers: {let_in}; RTP ports: {used} of {held['rtp_ports']}; refused today: {refused_today}",
        f"来电：{let_in_zh}；RTP 端口：{used}/{held['rtp_ports']}；今日拒接：{refused_today}",
    )


def _tell_alarms(alarms: list[dict[str, Any]]) -> None:
    """Print alarms; a night's hundred messages must not bury that the disk is full."""
    told: Counter[str] = Counter()
    for alarm in alarms:
        told[alarm["alarm"]] += 1
        if told[alarm["alarm"]] <= _OF_A_KIND:
            say(f"alarm: {alarm['sentence']}", f"告警：{alarm['sentence_zh']}")
    for kind, count in told.items():
        if (more := count - _OF_A_KIND) > 0:
            say(f"alarm: {more} more of {kind}: `ivr alarms`", f"告警：另有 {more} 条 {kind}：见 ivr alarms")


@click.command()
@json_option
@plain_errors
def status(as_json: bool) -> None:
    """Show every part; exit status 0 only when all are live. 查看各部分状态。"""
    settings = load_to_look()
    parts = parts_of(settings)
    answers = parts["engine"]["state"] == "live"
    alarms = alarms_of(settings) if answers else []
    told = capacity_of(settings) if answers else UNKNOWN_CAPACITY
    if as_json:
        print_json({"parts": parts, "alarms": alarms, **told})
    else:
        reason = "reason_zh" if language() == "zh" else "reason"
        print_table(
            ("part", "state", "pid", "reason"),
            [(n, p["state"], p["pid"], p[reason]) for n, p in parts.items()],
        )
        _tell_capacity(told)
        _tell_alarms(alarms)
    if not all_live(parts):
        raise SystemExit(1)


@click.command()
@plain_errors
@told_if_unwritable()
def setup() -> None:
    """Fetch or find Asterisk and make the secrets, without starting. 只做准备，不启动。"""
    from ivr.engine import media, mending
    from ivr.home.judging.door import admitted
    from ivr.home.secrets import open_keys
    from ivr.rollout import staging as deployment

    def progress(line: str) -> None:
        echo(line, err=True)

    _write_first_configuration(admitted(tell_advice, starting=False))
    settings, book = settings_and_book()
    open_keys(settings.home, deployment.sip_users(book), [person.number for person in book.operators])
    if settings.external_asterisk:
        verdict = media.examine_city(settings, progress, media.SETUP_S)
    else:
        found = deployment.find_asterisk(settings, progress)
        verdict = mending.mend_ours(settings, found, progress, media.SETUP_S)
        say(f"Asterisk {found.version} is ready.", f"Asterisk {found.version} 已就绪。")
    if verdict is not None:
        say(*media.sentence(settings, media.Told(verdict)))


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
    from ivr.asterisk.install.external import install, lines_for
    from ivr.home.secrets import open_keys
    from ivr.rollout import staging as deployment

    settings, book = settings_and_book()
    if not settings.external_asterisk or laid_out(settings).pid() is not None:  # its files would be replaced
        raise refused(
            "this hotline runs an Asterisk of its own; to attach to the city's: `ivr down`, "
            "set IVR_ASTERISK=external, then this again.",
            "本热线使用自带的 Asterisk；要接入城市已有的：先 ivr down，设置 IVR_ASTERISK=external，再执行本命令。",
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
        f"已写入：{'、'.join(changed) or '无需更改'}",
    )
