"""What is said on three-way calls: prompts, and the reasons that choose them."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook
from ivr.transfers.transfer import Transfer

EMERGENCIES = EMERGENCY_NUMBERS

REASONS: Mapping[str, str] = {
    "busy": "S050",
    "no_answer": "S051",
    "unheeded": "S051",
    "refused": "S052",
    "wrong": "S053",
    "nobody": "S054",
    "occupied": "S055",
    "loop": "S056",
    "congestion": "S057",
    "no_room": "S057",
}
"""The prompt that tells an operator why a third party is not coming."""

_CAUSES: Mapping[int, str] = {
    1: "wrong", 2: "wrong", 3: "wrong", 17: "busy", 18: "no_answer", 19: "no_answer", 21: "refused",
    28: "wrong",
}  # fmt: skip


def reason_of(cause: int) -> str:
    """Return why a channel ended (Q.850 cause) in the words of ``REASONS``."""
    return _CAUSES.get(cause, "congestion")


def announcement(book: HotlineBook, transfer: Transfer) -> tuple[str, dict[str, str]] | None:
    """Return what the caller is told before the music, if anything."""
    kind, _, rest = transfer.target.partition(":")
    if kind == "expert":
        return "P030", {"dept": transfer.name}
    if kind == "subcenter":
        department = next((line.department for line in book.lines if line.id == rest), "")
        return "P031", {"line_name": rest, "dept": department}
    return None


def plain(channel: str) -> str:
    """Return a channel's name as part of a file's name."""
    return "".join(letter if letter.isalnum() else "_" for letter in channel)


def help_number(transfer: Transfer) -> str:
    """Return the emergency number that is being called, empty for other targets."""
    return transfer.target if transfer.emergency else ""
