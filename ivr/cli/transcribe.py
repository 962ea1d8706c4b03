"""``ivr transcribe``."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import click

from ivr.cli.common import echo, json_option, plain_errors, print_json, say
from ivr.home.settings import load


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@plain_errors
def transcribe(file: Path, as_json: bool) -> None:
    """Write down what is said in a recording; stereo is one speaker a channel. 转写录音。"""
    answer = asyncio.run(_transcribe(file))
    if as_json:
        print_json(answer)
        return
    if answer["demonstration"]:
        say(
            "words by the demonstration model (synthetic voices, a small vocabulary):",
            "以下文字来自演示模型(合成语音、小词表),不代表真实识别率:",
        )
    for turn in answer["turns"]:
        echo(f"{turn['start']:8.2f} s  {turn['speaker']}: {turn['text']}")


async def _transcribe(file: Path) -> dict[str, Any]:
    from ivr.speech.audio import telephone_wav
    from ivr.speech.models import find_model
    from ivr.speech.recording import checked_wav
    from ivr.speech.transcriber import Transcriber

    settings = load()
    transcriber = Transcriber(find_model(Path(settings.vosk_model) if settings.vosk_model else None))
    with contextlib.ExitStack() as stack:
        wav = stack.enter_context(telephone_wav(file))
        _, channels = checked_wav(wav)
        speakers = ("caller", "operator") if channels == 2 else ("speaker",)
        try:
            words = await transcriber.transcribe(wav, speakers)
        finally:
            await transcriber.close()
    return words.as_json()
