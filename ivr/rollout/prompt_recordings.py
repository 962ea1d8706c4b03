"""The city's own recordings of prompts: each import and each removal is a change that can be undone.

A recording is in force from the moment its file lies in ``queues/prompts/``, whatever version of the
configuration runs.  What it replaced is kept by its content under ``versions/recordings/``; the
history says which recording was there before, and who changed it when.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from ivr.home.links import sync_folder, unwritable
from ivr.home.settings import Settings
from ivr.rollout.history import Change
from ivr.rollout.prepare import forget_interrupted, history_of, refuse_unsettled, versions_of
from ivr.rollout.states import ApplyRefused, ApplyState

HOW = "prompts"
_DECIDED = (ApplyState.VERIFIED, ApplyState.ROLLED_BACK)


def own_recording(settings: Settings, prompt_id: str) -> Path:
    """Return where the city's own recording of a prompt lies, or would lie."""
    return settings.config / "prompts" / f"{prompt_id}.wav"


def replace(settings: Settings, prompt_id: str, fresh: Path | None, by: str, how: str = HOW) -> Change | None:
    """Put a recording in force, or take the city's own away; call it with the lock of changes held.

    Args:
        settings: where things are.
        prompt_id: the prompt.
        fresh: a file beside the present recording, which takes its place; None: the shipped one plays.
        by: who wants it.
        how: ``prompts``, or ``undo``.

    Returns:
        The change; None where nothing ever ran, so that there is nothing to go back to.

    Raises:
        ApplyRefused: a change before this one is not over.
        PointerError: a file cannot be written; the former recording plays.
    """
    refuse_unsettled(settings)
    own = own_recording(settings, prompt_id)
    try:
        before, after = _keep(settings, own), _keep(settings, fresh) if fresh else ""
        change = _begin(settings, {"prompt": prompt_id, "before": before, "after": after}, by, how)
        if fresh is None:
            own.unlink(missing_ok=True)
        else:
            fresh.replace(own)
        sync_folder(own.parent)
    except OSError as error:
        raise unwritable(error) from error
    return change


def newest(settings: Settings) -> Change | None:
    """Return the import or removal that the next undo takes back; None where that is another change."""
    standing: list[Change] = []
    for change in history_of(settings).changes():
        if change.state is ApplyState.VERIFIED and change.how != "undo":
            standing.append(change)
        elif change.state is ApplyState.VERIFIED and standing:
            standing.pop()
    return standing[-1] if standing and standing[-1].how == HOW else None


def take_back(settings: Settings, change: Change, by: str) -> Change | None:
    """Put back what an import or a removal replaced; call it with the lock of changes held.

    Raises:
        HotlineError: what was kept is gone, or a file cannot be written.
    """
    prompt_id, before = change.recording["prompt"], change.recording["before"]
    if not before:
        return replace(settings, prompt_id, None, by, "undo")
    kept, own = _kept(settings, before), own_recording(settings, prompt_id)
    if not kept.is_file():
        raise ApplyRefused(
            f"the former recording of {prompt_id} is not in {kept.parent}; import it again.",
            f"{kept.parent} 中没有 {prompt_id} 原来的录音;请重新导入。",
        )
    try:
        own.parent.mkdir(parents=True, exist_ok=True)
        fresh = _copied(kept, own.with_name(f".{own.name}.back"))
    except OSError as error:
        raise unwritable(error) from error
    return replace(settings, prompt_id, fresh, by, "undo")


def _begin(settings: Settings, recording: dict[str, str], by: str, how: str) -> Change | None:
    """Write the change down; it is done in one step, so it has no other state."""
    forget_interrupted(settings)
    history = history_of(settings)
    decided: Sequence[Change] = [change for change in history.changes() if change.state in _DECIDED]
    running = versions_of(settings).running()
    if running is None or not decided:
        return None
    row = {"added": [], "removed": [], "changed": [recording["prompt"]]}
    number, folder, seen = running.number, str(settings.config / "prompts"), decided[-1].seen
    return history.begin(
        Change(
            0, number, number, ApplyState.VERIFIED, time.time(), by, folder, seen, how,
            changes={"recordings": row}, recording=recording,
        )
    )  # fmt: skip


def _kept(settings: Settings, digest: str) -> Path:
    return settings.versions / "recordings" / f"{digest}.wav"


def _keep(settings: Settings, path: Path) -> str:
    """Keep a recording by its content; return its name there, empty where there is none."""
    if not path.is_file():
        return ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = _kept(settings, digest)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        _copied(path, kept.with_suffix(".new")).replace(kept)
        sync_folder(kept.parent)
    return digest


def _copied(source: Path, target: Path) -> Path:
    with source.open("rb") as old, target.open("wb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())
    return target
