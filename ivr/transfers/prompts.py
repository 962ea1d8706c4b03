"""Words and small look-ups of the desk: refusals, prompts, channels."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.hotline.book import EMERGENCY_NUMBERS, HotlineBook
from ivr.transfers.targets import TransferRefused
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


def call_of(channel_id: str) -> str:
    """Return the call that a third party's channel id names: ``<call>-t<n>-<route>``."""
    call_id, found, _ = channel_id.rpartition("-t")
    return call_id if found else ""


def plain(channel: str) -> str:
    """Return a channel's name as part of a file's name."""
    return "".join(letter if letter.isalnum() else "_" for letter in channel)


def help_number(transfer: Transfer) -> str:
    """Return the emergency number that is being called, empty for other targets."""
    return transfer.target if transfer.emergency else ""


def occupied(transfer: Transfer) -> TransferRefused:
    """Say that one third party at a time is brought in."""
    return TransferRefused(
        "occupied",
        f"{transfer.name or transfer.target} is being brought in already ({transfer.state}); cancel that first.",
        f"正在转接{transfer.name or transfer.target}({transfer.state});请先取消。",
    )


def not_now(what: str) -> TransferRefused:
    """Say that a step does not fit the present state."""
    return TransferRefused(
        "not_now",
        f"{what} is not possible now; `ivr calls show` tells how far the call is.",
        f"现在不能执行 {what};可用 ivr calls show 查看进展。",
    )


def no_such_call(call_id: str) -> TransferRefused:
    """Say that nobody talks on that call."""
    return TransferRefused(
        "no_call",
        f"no operator talks on call {call_id!r}; calls are listed by `ivr calls list`.",
        f"来电 {call_id} 没有正在通话的话务员;可用 ivr calls list 查看。",
    )


def no_code(digits: str) -> TransferRefused:
    """Say that no target has that code."""
    return TransferRefused(
        "wrong",
        f"there is no target with the code {digits!r}; `ivr transfer targets` lists them.",
        f"没有代码为 {digits} 的转接目标;可用 ivr transfer targets 查看。",
    )
