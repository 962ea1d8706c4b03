"""Codes of third parties that a changed configuration gives to somebody else: operators know them by heart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.cli.common import say

if TYPE_CHECKING:
    from ivr.hotline.book import HotlineBook

_SHOWN = 6


def tell_moved_codes(old: HotlineBook, new: HotlineBook) -> None:
    """Say which codes will lead elsewhere; nothing where all stay.

    Args:
        old: the configuration that runs.
        new: the one that is to run.
    """
    from ivr.transfers.targets import moved_codes

    moved = moved_codes(old, new)
    for code, before, after in moved[:_SHOWN]:
        say(
            f"advice: *1{code} was {before}, will be {after or 'nobody'}; operators know it by heart: "
            "append at the end of the file instead.",
            f"建议 *1{code} 原为 {before},将变为{after or '无人'};话务员已记熟代码,新增内容请写在文件末尾。",
        )
    more = len(moved) - _SHOWN
    if more > 0:
        say(f"advice: {more} more codes move.", f"建议 另有 {more} 个代码改变。")
