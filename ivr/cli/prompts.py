"""``ivr prompts``: what callers hear, and a city's own recordings."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ivr.api.socket import EngineAway, ask
from ivr.cli.common import (
    echo,
    json_option,
    plain_errors,
    print_json,
    print_table,
    refused,
    say,
    told_if_unwritable,
)
from ivr.home.settings import Settings, load


def _folder(settings: Settings) -> Path:
    return settings.config / "prompts"


def reload(settings: Settings) -> None:
    """A running engine uses a new recording for the next caller."""
    with contextlib.suppress(EngineAway):
        ask(settings.run, "prompts")


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Offer a folder beside the recordings, where nobody looks for one."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=folder) as scratch:
        yield Path(scratch)


@click.group()
def prompts() -> None:
    """Prompts and the city's own recordings. 提示音。"""


@prompts.command("list")
@json_option
@plain_errors
def list_prompts(as_json: bool) -> None:
    """List prompts: what is said, and whose recording plays. 列出提示音。"""
    from ivr.speech.prompts import PromptBook

    folder = _folder(load())
    book = PromptBook(folder)
    rows: list[dict[str, Any]] = [
        {
            "prompt": prompt.prompt_id,
            "recording": "city" if (folder / f"{prompt.prompt_id}.wav").exists() else "shipped",
            "max_s": prompt.max_s,
            "text": prompt.text,
        }
        for prompt in book.texts.prompts.values()
    ]
    if as_json:
        print_json({"prompts": rows, "faults": book.check()})
        return
    print_table(("prompt", "recording", "max_s", "text"), [list(row.values()) for row in rows])
    for fault in book.check():
        echo(fault, err=True)


@prompts.command("import")
@click.argument("prompt_id")
@click.argument("file", type=click.Path(path_type=Path))
@plain_errors
def import_prompt(prompt_id: str, file: Path) -> None:
    """Use a recording in any format for a prompt; loudness and length are checked. 导入录音。"""
    from ivr.rollout import prompt_recordings as recordings
    from ivr.rollout.prepare import only_one, owner
    from ivr.speech.audio import import_recording
    from ivr.speech.prompts import PromptBook

    settings = load()
    known = PromptBook().texts.prompts
    if prompt_id not in known:
        raise refused(
            f"there is no prompt {prompt_id}; `ivr prompts list` names them.",
            f"没有编号为 {prompt_id} 的提示音;可用 ivr prompts list 查看。",
        )
    own = recordings.own_recording(settings, prompt_id)
    with told_if_unwritable(), only_one(settings), _scratch(own.parent) as scratch:
        made = import_recording(file, scratch / own.name, max_s=known[prompt_id].max_s)
        recordings.replace(settings, prompt_id, scratch / own.name, owner())
    reload(settings)
    note, note_zh = (
        "".join(f" {line}." for line in made.notes),
        "".join(f"{line}。" for line in made.notes_zh),
    )
    say(
        f"{prompt_id} now plays {file.name}: {made.seconds:.1f} s, {made.dbfs:.0f} dBFS.{note}",
        f"{prompt_id} 现在播放 {file.name}:{made.seconds:.1f} 秒,{made.dbfs:.0f} dBFS。{note_zh}",
    )


@prompts.command("remove")
@click.argument("prompt_id")
@plain_errors
def remove_prompt(prompt_id: str) -> None:
    """Go back to the shipped recording. 恢复自带录音。"""
    from ivr.rollout import prompt_recordings as recordings
    from ivr.rollout.prepare import only_one, owner

    settings = load()
    own = recordings.own_recording(settings, prompt_id)
    if prompt_id != own.stem or not own.exists():
        raise refused(f"{prompt_id} has no recording of the city's own.", f"{prompt_id} 没有自己的录音。")
    with told_if_unwritable(), only_one(settings):
        recordings.replace(settings, prompt_id, None, owner())
    reload(settings)
    say(f"{prompt_id} plays the shipped recording again.", f"{prompt_id} 已恢复自带录音。")
