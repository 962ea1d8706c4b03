"""Seconds that count: from a key to the ringing, from the answer to the voices, and many rooms at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.asterisk.three_parties import C, Hall, O, Scene, T, hall
from tools.bench.machine import resident_mb
from tools.bench.table import Part, limit, median, percentile, told
from tools.phones.tone_phone import TonePhone, until

LANES = (("9", 0), ("2", 2), ("3", 3))
"""Key of an emergency number and which helper answers it."""
ROOMS = 20
WAITING = 200


def run(folder: Path, *, quick: bool) -> Part:
    """Measure everything; quick: a look, not a figure to quote."""
    folder.mkdir(parents=True, exist_ok=True)
    rounds, stars = (3, 5) if quick else (20, 30)
    with hall(folder, ROOMS, ROOMS) as place:
        with ThreadPoolExecutor(len(LANES)) as pool:
            done = list(pool.map(lambda lane: _lane(place, lane[0], lane[1], rounds), LANES))
            back = [
                second
                for some in pool.map(lambda n: _refusals(place, n, rounds), range(len(LANES)))
                for second in some
            ]
        rings = [ring for lane in done for ring, _ in lane]
        voices = [voice for lane in done for _, voice in lane]
        print(
            f"  {len(rings)} emergencies: ring {1000 * max(rings):.0f} ms, voice {1000 * max(voices):.0f} ms",
            flush=True,
        )
        print(f"  {len(back)} refusals: back together {1000 * max(back):.0f} ms at worst", flush=True)
        shares, memory = _many(place, 5.0 if quick else 20.0)
        print(f"  {ROOMS} rooms: tones heard in {min(shares):.1%} of the time at least", flush=True)
        pressed = _stars(place, stars)
        print(f"  star: {1000 * max(pressed):.0f} ms at worst", flush=True)
    rows = (
        limit(f"operator's last key to ringing at the target, p99 of {len(rings)}", _p99_ms(rings), 300, "ms"),
        told("… median", f"{1000 * median(rings):.1f} ms"),
        limit(f"answer to all three hearing each other, p99 of {len(voices)}", _p99_ms(voices), 500, "ms"),
        told("… median", f"{1000 * median(voices):.1f} ms"),
        limit(f"refusal by key to caller and operator hearing each other, p99 of {len(back)}", _p99_ms(back), 1000, "ms"),
        told("… median", f"{1000 * median(back):.1f} ms"),
        limit(
            f"caller's `*` to ringing with {WAITING} waiting and the database locked, p99 of {len(pressed)}",
            _p99_ms(pressed), 500, "ms",
        ),
        told("… median", f"{1000 * median(pressed):.1f} ms"),
        limit(f"{ROOMS} three-way calls at once: tone missed, worst", 100 * (1 - min(shares)), 1, "%"),
        told("… Asterisk's memory then", f"{memory:.0f} MB"),
    )  # fmt: skip
    remark = (
        "Three parties: phones of our own on the same machine send a tone each and time packets as they arrive, so "
        "their own delays are in the figures; the key is sent by SIP INFO. Emergencies by the operator, each in a call "
        f"of its own. The star key is pressed in the queue; the database is held by an exclusive lock. In {ROOMS} rooms "
        "each tone is looked for in windows of 0.2 s at both other parties."
    )
    return Part("three_way", rows, (remark,))


def _p99_ms(values: Sequence[float]) -> float:
    return 1000 * percentile(values, 0.99)


def _lane(place: Hall, key: str, helper: int, rounds: int) -> list[tuple[float, float]]:
    """Call help again and again; return seconds from the key to the ringing, from the answer to the voices."""
    measured = []
    for _ in range(rounds):
        scene = place.scene(helper=helper)
        scene.operator.press("*1")
        time.sleep(0.2)
        pressed = time.monotonic()
        scene.operator.press(key, gap_s=0.0)
        until(lambda: bool(scene.third.invites))  # noqa: B023
        ring = scene.third.invites[0][0] - pressed
        until(lambda: scene.third.up)  # noqa: B023
        measured.append((ring, _voices(scene)))
        scene.close()
    return measured


def _refusals(place: Hall, third: int, rounds: int) -> list[float]:
    """Let a department refuse again and again; return seconds from its key until caller and operator talk again."""
    measured = []
    for _ in range(rounds):
        scene = place.scene(third)
        scene.to("asking")
        until(lambda: scene.third.up)  # noqa: B023
        time.sleep(0.5)
        refused = time.monotonic()
        scene.third.press("2", gap_s=0.0)
        measured.append(_heard_by_all(((scene.caller, O), (scene.operator, C)), refused))
        scene.close()
    return measured


def _voices(scene: Scene) -> float:
    """Return the seconds from the third party's answer until everybody hears everybody."""
    wanted = ((scene.caller, T), (scene.operator, T), (scene.third, C), (scene.third, O))
    return _heard_by_all(wanted, scene.third.answered_at)


def _heard_by_all(wanted: Sequence[tuple[TonePhone, float]], since: float) -> float:
    """Return the seconds until each phone hears its tone, 5 where one does not."""

    def heard() -> list[float | None]:
        return [phone.first_heard(tone, since) for phone, tone in wanted]

    until(lambda: all(heard()))
    moments = [moment for moment in heard() if moment is not None]
    return max(moments) - since if len(moments) == len(wanted) else 5.0


def _many(place: Hall, seconds: float) -> tuple[list[float], float]:
    """Hold many rooms at once; return how much of each tone was heard where it should be."""
    scenes = [place.scene(n) for n in range(ROOMS)]
    for scene in scenes:
        scene.to("three_way")
    since = time.monotonic()
    time.sleep(seconds)
    now = time.monotonic()
    memory = resident_mb(place.hotline.pid("asterisk"))
    shares = []
    for scene in scenes:
        phones = ((scene.caller, (O, T)), (scene.operator, (C, T)), (scene.third, (C, O)))
        shares += [phone.heard_share(tone, since, now) for phone, tones in phones for tone in tones]
    for scene in scenes:
        scene.close()
    return shares, memory


def _stars(place: Hall, count: int) -> list[float]:
    """Press the star key in a full queue while nothing can be written; return the seconds to the ringing."""
    for seat in place.operators:
        place.hotline.unman(seat)
    crowd = place.hotline.phones.caller(number="15400007777", after_ms=120_000, calls=WAITING, rate=50)
    until(lambda: place.hotline.waiting() >= WAITING, 30.0)
    lock = sqlite3.connect(place.hotline.home / "hotline.sqlite3", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    helper = place.helpers[1]
    helper.behaviour = "answer"
    pressed = []
    try:
        for n in range(count):
            phone = TonePhone(0, C, place.server)
            phone.call("12345", f"1549990{n:04d}")
            until(lambda: phone.up)  # noqa: B023
            time.sleep(1.2)
            helper.invites.clear()
            moment = time.monotonic()
            phone.press("*", gap_s=0.0)
            until(lambda: bool(helper.invites))
            pressed.append(helper.invites[0][0] - moment if helper.invites else 5.0)
            phone.close()
            until(lambda: not helper.up)
    finally:
        lock.execute("ROLLBACK")
        lock.close()
        crowd.stop()
    return pressed
