"""Commands about the files that administrators edit: ``ivr check``, ``profile``, ``due``."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from ivr import shipped
from ivr.cli.common import (
    echo,
    json_option,
    language,
    plain_errors,
    print_json,
    print_table,
    say,
    settings_and_book,
    told_if_unwritable,
)
from ivr.cli.moved_codes import tell_moved_codes
from ivr.home.settings import Settings, load

if TYPE_CHECKING:
    from ivr.cli.room import Room
    from ivr.hotline.book import HotlineBook

CHINA = ZoneInfo("Asia/Shanghai")
SHIPPED = shipped.folder("queues")


def _now() -> datetime:
    return datetime.now(CHINA)


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="The roster as a picture. 排班效果图。"
)
@json_option
@plain_errors
def check(folder: Path | None, html: Path | None, as_json: bool) -> None:
    """Check a configuration folder: every fault, advice, what its roster does. 检查配置。"""
    from ivr.cli.room import room_for
    from ivr.hotline.destinations import Own
    from ivr.hotline.files.reading import Severity, read
    from ivr.speech.prompts import wordings

    settings = load()
    own = Own(settings.bind, settings.sip_port)
    reading = read(folder or settings.config, _now().date(), own, wordings())
    book = reading.book
    if as_json:
        counts: dict[str, Any] = {"lines": len(book.lines), "seats": len(book.seats)} if book else {}
        room = room_for(settings, book) if book else None
        counts |= {"capacity": room.to_json()} if room else {}
        counts["media"] = _media(settings)
        ok = reading.ok and (room is None or room.fits_seats)
        print_json({"ok": ok, "faults": [fault.to_json() for fault in reading.faults], **counts})
        raise SystemExit(0 if book and ok else 1)
    for fault in reading.faults:
        refused = fault.severity is Severity.FAULT
        prefix = "" if refused else "建议 " if language() == "zh" else "advice: "
        echo(prefix + fault.sentence(language()), err=refused)
    if book is None:
        raise SystemExit(1)
    say(
        f"no faults: {len(book.lines)} lines, {len(book.queues)} queues, {len(book.seats)} seats, "
        f"{len(book.operators)} operators.",
        f"没有错误：{len(book.lines)} 条部门线，{len(book.queues)} 个队列，{len(book.seats)} 个座席，"
        f"{len(book.operators)} 名话务员。",
    )
    _tell_media(settings)
    _tell_room(room_for(settings, book))
    tell_moved_codes(_running(book), book)
    if book.demand is not None or html is not None:
        from ivr.cli.planning import tell_roster_effect

        tell_roster_effect(_running(book), book, _now().date(), html)


def _media(settings: Settings) -> dict[str, Any] | None:
    """Return what is known of the Asterisk that would be used: whether it carries media that begin anew."""
    from ivr.engine import media

    told = media.look(settings)
    if told is None:
        return None
    verdict = told.verdict
    return {"asterisk": verdict.version, "program": verdict.program, "begin_anew": verdict.media.value}


def _tell_media(settings: Settings) -> None:
    """Say whether the Asterisk that would be used drops voices; no fault of the configuration, and none is started."""
    from ivr.engine import media

    told = media.look(settings)
    if told is None:
        say(
            "whether Asterisk carries a voice whose media begin anew is not known yet: `ivr setup` finds out.",
            "尚不知道 Asterisk 是否会丢弃通话中重新开始的媒体流：请运行 ivr setup 进行验证。",
        )
    elif told.dropped:
        prefix = "建议 " if language() == "zh" else "advice: "
        english, chinese = media.sentence(settings, told)
        echo(prefix + (chinese if language() == "zh" else english))
    else:
        say(*media.sentence(settings, told))


def _tell_room(room: Room) -> None:
    """Tell how many callers fit; exit 1 where not even the seats do."""
    say(f"room for {room.callers} callers at the same time.", f"最多同时接入 {room.callers} 通来电。")
    if room.english:
        prefix = "" if not room.fits_seats else "建议 " if language() == "zh" else "advice: "
        sentence = room.chinese if language() == "zh" else room.english
        echo(prefix + sentence, err=not room.fits_seats)
    if not room.fits_seats:
        raise SystemExit(1)


def _running(fallback: HotlineBook) -> HotlineBook:
    """Return the running configuration to compare with, the checked one where nothing runs or it is old."""
    from ivr.hotline.files.reading import read

    folder = load().running_config
    return (read(folder).book if folder.is_dir() else None) or fallback


@click.group()
def profile() -> None:
    """Ready configurations of cities. 城市配置方案。"""


@profile.command("list")
@json_option
@plain_errors
def list_profiles(as_json: bool) -> None:
    """List the profiles, and which is in use. 列出方案。"""
    from ivr.hotline.files.profiles import available
    from ivr.hotline.files.reading import read

    config = load().config
    rows = []
    for name, found in available((config / "profiles", SHIPPED / "profiles")).items():
        book = read(found.folder).book
        rows.append(
            {
                "profile": name,
                "city": book.city if book else None,
                "lines": len(book.lines) if book else None,
                "in_use": found.is_used_by(config),
            }
        )
    if as_json:
        print_json(rows)
        return
    print_table(
        ("profile", "city", "lines", "in use"),
        [(row["profile"], row["city"], row["lines"], "*" if row["in_use"] else "") for row in rows],
    )


@profile.command("use")
@click.argument("name")
@plain_errors
def use_profile(name: str) -> None:
    """Write a profile's files into the configuration folder. 采用方案。"""
    from ivr.hotline.files import profiles

    config = load().config
    found = profiles.find(name, (config / "profiles", SHIPPED / "profiles"))
    with told_if_unwritable():
        kept = profiles.use(found, config, _now().strftime("%Y%m%d-%H%M%S"))
    say(
        f"{config} is now that of {name}; what was there is kept in {kept}. "
        "Run `ivr apply` to make it the running one.",
        f"{config} 已采用方案 {name}；原有文件保存在 {kept}。运行 `ivr apply` 使其生效。",
    )


@click.command()
@click.option(
    "--workdays", required=True, type=click.IntRange(0, 1000), help="Number of workdays. 工作日数。"
)
@click.option("--from", "begin", required=True, metavar="TIME", help="ISO 8601 date or time. 起始时间。")
@json_option
@plain_errors
def due(workdays: int, begin: str, as_json: bool) -> None:
    """Tell when a deadline of N workdays ends. 计算工作日时限。"""
    _, book = settings_and_book()
    zone = ZoneInfo(book.timezone)
    last = book.calendar.add_workdays(_day(begin, zone), workdays)
    moment = datetime.combine(last, time(23, 59, 59), zone).isoformat()
    if as_json:
        print_json({"due": last.isoformat(), "clocks": [{"kind": "reply", "due": moment}]})
        return
    say(f"{last} 24:00", f"{last} 24:00")


def _day(text: str, zone: ZoneInfo) -> date:
    try:
        moment = datetime.fromisoformat(text)
        return moment.date() if moment.tzinfo is None else moment.astimezone(zone).date()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is not ISO 8601, for example 2026-11-21T08:00. 时间格式有误。"
        ) from error
