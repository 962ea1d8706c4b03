"""How a day's calls spread over its hours, as the commands that plan find it and tell it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivr.cli.common import say, with_store
from ivr.errors import HotlineError
from ivr.reports.load_profile import (
    BUILT_IN,
    ENOUGH_CALLS,
    ENOUGH_DAYS,
    PRIOR_CALLS,
    Profile,
    ProfileRefused,
    from_calls,
    of_text,
)

if TYPE_CHECKING:
    from ivr.api.views import Views
    from ivr.store.store import Store

_PROFILE_DAYS = 365
"""Calls further back say too little of tomorrow."""


def profile_of(name: str) -> Profile:
    """Return the spread of a day's calls by its name.

    Raises:
        HotlineError: the journal holds too little, or the file is no profile.
    """
    if name == "built-in":
        return BUILT_IN
    if name == "auto":
        own = own_profile()
        return own if own is not None and own.enough else BUILT_IN
    if name == "journal":
        own = _of_journal()
        if not own.calls:
            raise ProfileRefused(
                "the journal holds no whole day of calls yet; use --profile built-in.",
                "还没有一整天的来电记录;请使用 --profile built-in。",
            )
        return own
    try:
        return of_text(Path(name).read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileRefused(
            f"{name} cannot be read as a profile; write built-in, journal or the path of a text file.",
            f"无法读取时段分布 {name};请写 built-in、journal 或文本文件路径。",
        ) from error


def own_profile() -> Profile | None:
    """Return the journal's spread, however little it rests on; None where there is no journal."""
    try:
        return _of_journal()
    except HotlineError:  # no database, no configuration: planning works without either
        return None


def _of_journal() -> Profile:
    async def work(store: Store, views: Views) -> Profile:
        return from_calls(await store.call_starts(time.time() - _PROFILE_DAYS * 86_400), views.zone)

    return with_store(work)


def profile_document(profile: Profile) -> dict[str, Any]:
    """Return a spread as JSON, with the calls it rests on."""
    return {
        "source": profile.source,
        "days": profile.days,
        "calls": profile.calls,
        "weights": [round(weight, 6) for weight in profile.weights],
    }


def say_profile(profile: Profile) -> None:
    """Say which spread was used, and on how many calls of how many days it rests."""
    if profile.source == "built-in":
        say(
            "spread over the day: built in, reconstructed from published figures; a city's own may differ.",
            "时段分布:内置,由公开数据反推;与本地实际可能不同。",
        )
    elif profile.source == "journal":
        say(
            f"spread over the day: {profile.calls} calls of {profile.days} whole days of this hotline; "
            f"the built-in one counts as {PRIOR_CALLS} more.",
            f"时段分布:本热线 {profile.days} 个整天 {profile.calls} 通来电,另以内置分布作 {PRIOR_CALLS} 通计入。",
        )
    else:
        say(f"spread over the day: {profile.source}.", f"时段分布:{profile.source}。")


def say_how_much_is_missing(own: Profile | None) -> None:
    """Say how far the journal is from a spread of its own, where the built-in one was used instead."""
    days, calls = (own.days, own.calls) if own is not None else (0, 0)
    say(
        f"the journal holds {calls} calls of {days} whole days; "
        f"its own spread is used from {ENOUGH_CALLS} calls of {ENOUGH_DAYS} days on.",
        f"系统现有 {days} 个整天 {calls} 通来电;满 {ENOUGH_DAYS} 天且 {ENOUGH_CALLS} 通后改用本热线的分布。",
    )
