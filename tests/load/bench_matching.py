"""How long it takes to find a line, by its number and by what is said, with 549 and with 5,000 names.

Both books are asked the same things in alternating rounds, so that what else the machine does falls on both.

``python -m tests.load.bench_matching`` prints a table.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from ivr.hotline.book import HotlineBook, Line, MergeMode  # noqa: E402
from ivr.hotline.names.matcher import Matcher  # noqa: E402
from tests.unit.matching_kit import book_of_82, utterances  # noqa: E402

NAMES = 5000
ROUNDS = 7

_PLACES = """城东 城西 城南 城北 高新区 开发区 沙湾 五通 夹江 犍为 井研 沐川 峨边 马边 峨眉山 市中区 嘉州 通江 牟子 苏稽"""
_MATTERS = """\
供水 供电 供气 公交 地铁 学校 幼儿园 医院 药店 菜市场 超市 网吧 酒店 景区 车站 机场 码头 公园 广场 河道 桥梁 隧道
路面 人行道 公厕 垃圾站 停车场 充电桩 加油站 驾校 健身房 美容院 理发店 培训班 托管班 养老院 殡仪馆 墓地 小区 宿舍"""
_ASKED = "投诉 咨询 举报 报修 热线 收费 管理 服务 补贴 中心"


def with_names(book: HotlineBook, names: int, seed: int = 12345) -> HotlineBook:
    """Return the book with further lines, ten plausible names each, until it has ``names`` names."""
    words = (_PLACES.split(), _MATTERS.split(), _ASKED.split())
    made = [a + b + c for a, b, c in itertools.product(*words)]
    random.Random(seed).shuffle(made)
    missing = names - sum(len(line.aliases) for line in book.lines)
    chunks = [made[at : min(at + 10, missing)] for at in range(0, missing, 10)]
    further = tuple(
        Line(f"more_{at}", f"0000-82{at:06d}", chunk[0], "", MergeMode.WHOLE, aliases=tuple(chunk))
        for at, chunk in enumerate(chunks)
    )
    return replace(book, lines=(*book.lines, *further))


@dataclass(frozen=True, slots=True)
class Timed:
    """Medians over the rounds, in seconds of processor time."""

    by_number: float
    small_p50: float
    small_p99: float
    large_p99: float
    growth: float
    """Ratio of the p99 with many names to that with few: the median over rounds."""


def _timed(ask: Callable[[str], object], said: Sequence[str]) -> tuple[float, float]:
    taken = []
    for text in said:
        begin = time.thread_time()  # nothing here waits, so neighbours need not count
        ask(text)
        taken.append(time.thread_time() - begin)
    taken.sort()
    return taken[len(taken) // 2], taken[math.ceil(len(taken) * 0.99) - 1]


def _by_number(book: HotlineBook, times: int = 5000) -> float:
    begin = time.thread_time()
    for _ in range(times):
        book.find_line("12345", ["0833-12333"])
    return (time.thread_time() - begin) / times


def run(rounds: int = ROUNDS) -> Timed:
    """Measure everything here; a round takes about a quarter of a second."""
    book = book_of_82()
    small, large = Matcher(book), Matcher(with_names(book, NAMES))
    said = [heard.text for part in ("development", "heldout") for heard in utterances(part)] * 3
    for matcher in (small, large):
        _timed(matcher.match, said[:100])
    numbers, few, many = [], [], []
    for _ in range(rounds):
        numbers.append(_by_number(book))
        few.append(_timed(small.match, said))
        many.append(_timed(large.match, said))
    return Timed(
        statistics.median(numbers),
        statistics.median(p50 for p50, _ in few),
        statistics.median(p99 for _, p99 in few),
        statistics.median(p99 for _, p99 in many),
        statistics.median(more / less for (_, more), (_, less) in zip(many, few, strict=True)),
    )


def main() -> None:
    """Print the table."""
    found = run()
    print(f"by number           {found.by_number * 1e6:8.2f} µs  (target 20)")
    print(f"by speech, median   {found.small_p50 * 1e3:8.3f} ms")
    print(f"by speech, p99      {found.small_p99 * 1e3:8.3f} ms  (target 2)")
    print(f"… with {NAMES} names   {found.large_p99 * 1e3:8.3f} ms")
    print(f"… growth            {found.growth:8.2f} ×   (target 3)")


if __name__ == "__main__":
    main()
