"""``ivr lines match``: which line a call belongs to, by its numbers and by what was said."""

from __future__ import annotations

import click

from ivr.cli.common import echo, json_option, plain_errors, print_json, say, settings_and_book
from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook
from ivr.hotline.names.matcher import NOTHING, Match, Matcher
from ivr.hotline.telephone import digits, number_in


def find(book: HotlineBook, dialled: str, diverted_from: str, speech: str) -> Match:
    """Find what a call is for: an emergency before everything, then the numbers, then the words."""
    number = digits(number_in(dialled))
    for emergency in EMERGENCY_NUMBERS:
        if number in book.number_forms(emergency):
            return Match("emergency", number=emergency, score=1.0)
    heard = Matcher(book).match(speech) if speech else NOTHING
    line = book.find_line(dialled, [diverted_from] if diverted_from else [])
    if line and heard.kind != "emergency":
        return Match("line", line.id, line.number, score=1.0)
    return heard


@click.command()
@click.option("--dialled", default="", help="Number dialled. 被叫号码。")
@click.option("--diverted-from", default="", help="Number the call was forwarded from. 前转号码。")
@click.option("--speech", help="What the caller said. 来电人说的话。")
@json_option
@plain_errors
def match(dialled: str, diverted_from: str, speech: str | None, as_json: bool) -> None:
    """Tell which line a call belongs to. 查找部门线。"""
    if not dialled and not diverted_from and speech is None:
        raise click.UsageError(
            "give --dialled, --diverted-from or --speech. 请指定 --dialled、--diverted-from 或 --speech。"
        )
    _, book = settings_and_book()
    found = find(book, dialled, diverted_from, speech or "")
    if as_json:
        print_json(found.document())
    else:
        _tell(found, book)


def _tell(found: Match, book: HotlineBook) -> None:
    names = {line.id: line.name for line in book.lines}
    names |= {referral.number: referral.name for referral in book.referrals}
    names |= {urgent.number: urgent.name for urgent in book.emergencies}
    line = next((line for line in book.lines if line.id == found.line_id), None)
    number = found.number or ""
    if line:
        say(f"{line.id} {line.number} {line.name}", f"{line.name}({line.number},{line.department})")
    elif found.kind == "emergency":
        named = names.get(number, "")
        say(f"{number} {named}: an emergency number of its own.", f"{number} {named}:独立的紧急号码。")
    elif found.kind == "referral":
        say(f"{number} {names[number]}: somebody else's service.", f"请拨打 {names[number]} {number}。")
    elif found.kind == "ambiguous":
        meant = ", ".join(found.candidates)
        say(f"{meant}; ask: {found.question}", found.question or "")
        for candidate in found.candidates:
            echo(f"  {candidate} {names.get(candidate, '')}".rstrip())
    else:
        say("no line.", "没有匹配的部门线。")
