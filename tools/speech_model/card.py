"""Writes what a model folder says about itself: README.md, model.json and SHA256SUMS."""

import hashlib
import json
from pathlib import Path
from typing import Any

from .telephone import RATE
from .voices import HELD_OUT, TRAINED

NAME = "ivr-demonstration-cn"
VERSION = "1.0"
TITLES = {
    "recordings": "Recorded sentences, 8 kHz A-law 录音句子",
    "trained_voices": "Twenty sentences, trained voices, 125–195 words/min 训练用音色",
    "held_out_voices": "Twenty sentences, voices never trained on 未参与训练的音色",
    "hard_lines": "All held-out sentences, voices of both kinds, speeds 120–200, pitches 5–95 各种语速、音高与线路",
}
TEMPLATE = (Path(__file__).parent / "model_readme.md").read_text(encoding="utf-8")


def _table(title: str, rows: dict[str, dict[str, Any]]) -> str:
    lines = [f"### {title}", "", "| | CER % | sentences fully right 全对句数 |", "|---|---|---|"]
    lines += [
        f"| {voice} | {row['cer_percent']} | {row['right']} of {row['of']} |" for voice, row in rows.items()
    ]
    return "\n".join(lines)


def _readme(words: int, measured: dict[str, Any]) -> str:
    lines, emergencies = measured["held_out_lines"], measured["emergencies"]
    return TEMPLATE.format(
        words=words,
        trained=len(TRAINED),
        held_out=len(HELD_OUT),
        lines=f"{lines['right']} of {lines['of']} (CER {lines['cer_percent']} %)",
        emergencies=f"{emergencies['right']} of {emergencies['of']} (CER {emergencies['cer_percent']} %)",
        speed=measured["real_time_factor"],
        tables="\n\n".join(_table(title, measured[group]) for group, title in TITLES.items()),
    )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write(model: Path, words: int, measured: dict[str, Any]) -> None:
    """Describe a finished model folder.

    Args:
        model: the folder; its three describing files are written anew.
        words: size of the vocabulary.
        measured: what measure.measure returned.
    """
    for name in ("README.md", "model.json", "SHA256SUMS"):
        (model / name).unlink(missing_ok=True)
    card = {
        "name": NAME,
        "version": VERSION,
        "demonstration": True,
        "language": "zh-CN",
        "words": words,
        "sample_rate": RATE,
        "training": "synthetic voices only (espeak-ng cmn-latn-pinyin)",
        "bytes": _size(model),
        "measured": measured,
    }
    (model / "model.json").write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (model / "README.md").write_text(_readme(words, measured), encoding="utf-8")
    files = sorted(path for path in model.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(model)}" for path in files]
    (model / "SHA256SUMS").write_text("\n".join(sums) + "\n")
