"""The state of every part, as ``ivr status`` tells it: who answers is live, who only has a pid is not."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ivr import __version__
from ivr.api.questions import Outcome, Question, to_asterisk
from ivr.api.socket import EngineAway, EngineSilent, Refused, ask
from ivr.asterisk.install.instance import Instance
from ivr.home.settings import Settings

PARTS = ("engine", "asterisk", "ami", "fastagi", "database", "speech")
ANSWER_S = 4.0
"""Seconds that the engine and Asterisk, both asked at once, have for an answer."""
UNKNOWN_CAPACITY: dict[str, Any] = {"capacity": None, "refused": None}
"""What is told where no engine can tell."""
_POLL_S = 0.01
_AGAIN = (
    "the engine does not answer yet; it is started again by itself: if this lasts, see {log}.",
    "引擎尚未响应；系统会自动重新启动它：如持续如此，请查看 {log}。",
)
_SILENT = "it does not answer since {silent_s:.0f} s; {then}", "已 {silent_s:.0f} 秒没有响应；{then}"
_NOBODY = "nobody looks after it: `ivr up`", "没有看护进程：请运行 ivr up"
Words = tuple[str, str]
"""A reason in English and in Chinese."""
OLDER: Words = (
    "an older version of the program runs; at an hour with few calls `ivr down`, then `ivr up`, takes up this one",
    "正在运行的是旧版本程序；请在来电少时先 ivr down，再 ivr up，改用本版本",
)


def parts_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the state of every part; never raises for one that is away."""
    deadline = time.monotonic() + ANSWER_S
    question = to_asterisk(settings.run)
    question.look()
    try:
        parts: dict[str, dict[str, Any]] = ask(settings.run, "status", timeout_s=ANSWER_S)
        if parts["engine"].get("version") != __version__:
            parts["engine"] |= _reason(_other_version(parts["engine"].get("version")))
    except EngineAway as error:
        why, pid = _why_away(settings, error)
        parts = {name: _part("down", why) for name in PARTS}
        parts["engine"]["pid"] = pid
    parts["asterisk"] = _asterisk_part(settings, parts["ami"], question, deadline)
    question.close()
    return {name: {"reason_zh": parts[name]["reason"], **parts[name]} for name in PARTS}  # an older engine's


def _part(state: str, why: Words = ("", ""), pid: int | None = None) -> dict[str, Any]:
    return {"state": state, **_reason(why), "pid": pid}


def _reason(why: Words) -> dict[str, Any]:
    return {"reason": why[0], "reason_zh": why[1]}


def _other_version(runs: str | None) -> Words:
    """Return what to say of an engine of another version; one that does not know its own is older."""
    if runs is None:
        return OLDER
    return (
        f"version {runs} of the program runs, {__version__} is installed; at an hour with few calls `ivr down`, "
        "then `ivr up`, takes it up",
        f"正在运行的是 {runs} 版，已安装 {__version__} 版；请在来电少时先 ivr down，再 ivr up，改用已安装的版本",
    )


def _why_away(settings: Settings, error: EngineAway) -> tuple[Words, int | None]:
    """Return why no engine answers, and the pid of one that runs; `ivr up` may change nothing."""
    from ivr.engine.upkeep import engine, lock
    from ivr.engine.upkeep.notes import Notes

    said = error.sentence, error.zh
    try:
        supervised = lock.is_held(settings)
    except PermissionError:
        return said, None
    process = engine.find(settings)
    pid = process.pid if process else None
    if process is not None and isinstance(error, EngineSilent):
        silent_s = max(Notes(settings.pids).silent_s(engine.ROLE, process.pid), ANSWER_S)
        then = ("it is ended and started again", "将被结束并重新启动") if supervised else _NOBODY
        return _silent(silent_s, then), pid
    if not supervised:
        return said, pid
    log = settings.logs / "engine.log"
    return (_AGAIN[0].format(log=log), _AGAIN[1].format(log=log)), pid


def _silent(silent_s: float, then: Words) -> Words:
    return (
        _SILENT[0].format(silent_s=silent_s, then=then[0]),
        _SILENT[1].format(silent_s=silent_s, then=then[1]),
    )


def alarms_of(settings: Settings) -> list[dict[str, Any]]:
    """Return the alarms that are up; none where no engine can tell."""
    try:
        alarms: list[dict[str, Any]] = ask(settings.run, "alarms", timeout_s=ANSWER_S)
    except EngineAway:
        return []
    return alarms


def capacity_of(settings: Settings) -> dict[str, Any]:
    """Return ``capacity`` and ``refused``; None where no engine can tell."""
    try:
        told: dict[str, Any] = ask(settings.run, "capacity", timeout_s=ANSWER_S)
    except (EngineAway, Refused):
        return UNKNOWN_CAPACITY
    return told


def _asterisk_part(
    settings: Settings, ami: dict[str, Any], question: Question, deadline: float
) -> dict[str, Any]:
    if settings.external_asterisk:
        own = "the city's own", "城市已有的 Asterisk"
        return _part(
            ami["state"], (ami["reason"], ami.get("reason_zh", ami["reason"])) if ami["reason"] else own
        )
    instance = laid_out(settings)
    pid = instance.pid()
    if pid is None:
        return _part("down", ("it does not run", "没有运行"))
    outcome = question.look()
    while outcome is Outcome.WAITING and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        outcome = question.look()
    if outcome is Outcome.WAITING:
        return _part("down", _why_silent(settings, pid), pid)
    if not instance.ready and instance.ready_by_older:
        return _part("live", OLDER, pid)
    if not instance.ready:
        return _part("syncing", ("it is starting", "正在启动"), pid)
    if outcome is Outcome.NOBODY and ami["state"] != "live":
        return _part("down", ("neither its console nor its manager answers", "控制台和管理端口均无响应"), pid)
    return _part("live", pid=pid)


def _why_silent(settings: Settings, pid: int) -> Words:
    from ivr.engine.upkeep import asterisk, lock
    from ivr.engine.upkeep.notes import Notes

    silent_s = max(Notes(settings.pids).silent_s(asterisk.ROLE, pid), ANSWER_S)
    then = _NOBODY
    with contextlib.suppress(PermissionError):
        if lock.is_held(settings):
            hung = f"{asterisk.HUNG_S:.0f}"
            then = f"after {hung} s it is ended and started again", f"满 {hung} 秒将被结束并重新启动"
    return _silent(silent_s, then)


def laid_out(settings: Settings) -> Instance:
    """Return this home's Asterisk without looking for the program: enough to find and end it."""
    return Instance.laid_out(settings.asterisk_home, settings.run, settings.pids)


def other_version(parts: dict[str, dict[str, Any]]) -> Words | None:
    """Return what to say where another version of the program runs; None where it is this one."""
    engine, asterisk = parts["engine"], parts["asterisk"]
    if engine["state"] == "live" and engine["reason"]:  # nothing else is ever said of a live one
        return engine["reason"], engine["reason_zh"]
    return OLDER if asterisk["reason"] == OLDER[0] else None


def all_live(parts: dict[str, dict[str, Any]]) -> bool:
    """Tell whether every part is live."""
    return all(part["state"] == "live" for part in parts.values())
