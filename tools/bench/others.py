"""The comparisons that need no Asterisk: the wires beside panoramisk, the recogniser beside vosk alone."""

from __future__ import annotations

from tests.load import bench_transcription, bench_wires
from tools.bench.table import Part, Row, ratio, told


def wires(seconds: float) -> Part:
    """Compare FastAGI and AMI with panoramisk's for about ``seconds`` seconds."""
    rows: list[Row] = []
    for found in bench_wires.run(seconds):
        name = f"{found.name} ({found.unit})"
        ours, theirs = f"{found.ours:.0f}", f"{found.theirs:.0f}"
        if "all headers" in found.name:
            rows.append(told(name, f"{found.ratio:.2f}×", ours=ours, base=theirs))
        else:
            rows.append(ratio(name, ours, theirs, found.ratio, at_least=found.target))
    remark = (
        "Wires: panoramisk 1.4 as published beside ours, alternating rounds on the same input. Our AMI messages "
        "are read lazily: with all headers of every event read the gain is smaller, as its own row says."
    )
    return Part("wires", tuple(rows), (remark,))


def transcription(rounds: int) -> Part:
    """Compare the CPU of our worker with vosk alone on the same audio."""
    rows = [
        ratio(
            found.name,
            f"{found.ours:.3f} CPU s",
            f"{found.theirs:.3f} CPU s",
            found.ratio,
            at_most=found.target,
        )
        for found in bench_transcription.run(rounds=rounds)
    ]
    remark = "Transcription: the shipped demonstration model in both; the cheapest of alternating rounds is compared."
    return Part("transcription", tuple(rows), (remark,))
