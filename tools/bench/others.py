"""What needs no Asterisk: the wires beside panoramisk, the recogniser beside vosk alone, finding a line."""

from __future__ import annotations

from tests.load import bench_matching, bench_seats, bench_transcription, bench_wires
from tools.bench.table import Part, Row, limit, ratio, told


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


def matching(rounds: int) -> Part:
    """Time finding a line by number and by words, with the names of 82 lines and with thousands."""
    found = bench_matching.run(rounds)
    rows = (
        limit("line by number, 82 lines", found.by_number * 1e6, 20, "µs"),
        limit("line by what was said, 549 names, p99", found.small_p99 * 1e3, 2, "ms"),
        told("… median", f"{found.small_p50 * 1e3:.3f} ms"),
        ratio(
            f"line by what was said, {bench_matching.NAMES} names beside 549, p99",
            f"{found.large_p99 * 1e3:.3f} ms",
            f"{found.small_p99 * 1e3:.3f} ms",
            found.growth,
            at_most=3.0,
        ),
    )
    remark = (
        "Lines: processor time (nothing waits) of everything in the tests' two sets of utterances, in alternating "
        "rounds; the further names are made of places, matters and requests."
    )
    return Part("matching", rows, (remark,))


def seats() -> Part:
    """Measure what a pause, and the full look at all members, cost the engine's loop with few seats and with many."""
    rows: list[Row] = []
    for found in bench_seats.run():
        what = f"{found.seats} seats in {found.queues} queues"
        rows += [
            limit(f"one seat's pause, {what}, processor time of the loop", found.pause_ms, 25, "ms"),
            told(f"the full look, every 10 s, {what}", f"{found.look_ms:.0f} ms"),
            limit(f"… its longest turn, in which nothing else is done, {what}", found.turn_ms, 50, "ms"),
        ]
    remark = (
        "Seats: everybody is logged in, each in every queue. Processor time of the engine's thread alone; another process "
        "tells what Asterisk would tell. Before a pause sent the difference of its seat alone it cost as much as a full "
        "look, and more with more seats."
    )
    return Part("seats", tuple(rows), (remark,))
