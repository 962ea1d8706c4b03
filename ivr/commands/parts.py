"""The state of every part, as ``ivr status`` tells it: who answers is live, who only has a pid is not."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ivr.asterisk.instance import Instance
from ivr.control import EngineAway, EngineSilent, Refused, ask
from ivr.questions import Outcome, Question, to_asterisk
from ivr.settings import Settings

PARTS = ("engine", "asterisk", "ami", "fastagi", "database", "speech")
ANSWER_S = 4.0
"""Seconds that the engine and Asterisk, both asked at once, have for an answer."""
UNKNOWN_CAPACITY: dict[str, Any] = {"capacity": None, "refused": None}
"""What is told where no engine can tell."""
_POLL_S = 0.01
_AGAIN = "the engine does not answer yet; it is started again by itself: if this lasts, see {log}."


def parts_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the state of every part; never raises for one that is away."""
    deadline = time.monotonic() + ANSWER_S
    question = to_asterisk(settings.run)
    question.look()
    try:
        parts: dict[str, dict[str, Any]] = ask(settings.run, "status", timeout_s=ANSWER_S)
    except EngineAway as error:
        reason, pid = _why_away(settings, error)
        parts = {name: {"state": "down", "reason": reason, "pid": None} for name in PARTS}
        parts["engine"]["pid"] = pid
    parts["asterisk"] = _asterisk_part(settings, parts["ami"], question, deadline)
    question.close()
    return {name: parts[name] for name in PARTS}


def _why_away(settings: Settings, error: EngineAway) -> tuple[str, int | None]:
    """Return why no engine answers, and the pid of one that runs; `ivr up` may change nothing."""
    from ivr.upkeep import engine, lock
    from ivr.upkeep.notes import Notes

    try:
        supervised = lock.is_held(settings)
    except PermissionError:
        return error.sentence, None
    process = engine.find(settings)
    pid = process.pid if process else None
    if process is not None and isinstance(error, EngineSilent):
        silent_s = max(Notes(settings.pids).silent_s(engine.ROLE, process.pid), ANSWER_S)
        then = "it is ended and started again" if supervised else "nobody looks after it: `ivr up`"
        return f"it does not answer since {silent_s:.0f} s; {then}", pid
    return (_AGAIN.format(log=settings.logs / "engine.log") if supervised else error.sentence), pid


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
        return {"state": ami["state"], "reason": ami["reason"] or "the city's own", "pid": None}
    instance = laid_out(settings)
    pid = instance.pid()
    if pid is None:
        return {"state": "down", "reason": "it does not run", "pid": None}
    outcome = question.look()
    while outcome is Outcome.WAITING and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        outcome = question.look()
    if outcome is Outcome.WAITING:
        return {"state": "down", "reason": _why_silent(settings, pid), "pid": pid}
    if not instance.ready:
        return {"state": "syncing", "reason": "it is starting", "pid": pid}
    if outcome is Outcome.NOBODY and ami["state"] != "live":
        return {"state": "down", "reason": "neither its console nor its manager answers", "pid": pid}
    return {"state": "live", "reason": "", "pid": pid}


def _why_silent(settings: Settings, pid: int) -> str:
    from ivr.upkeep import asterisk, lock
    from ivr.upkeep.notes import Notes

    silent_s = max(Notes(settings.pids).silent_s(asterisk.ROLE, pid), ANSWER_S)
    then = "nobody looks after it: `ivr up`"
    with contextlib.suppress(PermissionError):
        if lock.is_held(settings):
            then = f"after {asterisk.HUNG_S:.0f} s it is ended and started again"
    return f"it does not answer since {silent_s:.0f} s; {then}"


def laid_out(settings: Settings) -> Instance:
    """Return this home's Asterisk without looking for the program: enough to find and end it."""
    return Instance.laid_out(settings.asterisk_home, settings.run, settings.pids)


def all_live(parts: dict[str, dict[str, Any]]) -> bool:
    """Tell whether every part is live."""
    return all(part["state"] == "live" for part in parts.values())
