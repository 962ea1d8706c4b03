"""A seat's queue memberships in Asterisk's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import AmiRefused, AmiTimeout, Link
from ivr.asterisk.control.members import AsteriskMembers, moved
from ivr.seats.ports import Change, Member, Step


def message(name: str, **headers: str) -> Message:
    return Message("\r\n".join(f"{key}: {value}" for key, value in ({"Event": name} | headers).items()))


def row(queue: str, location: str, **headers: str) -> Message:
    return message("QueueMember", Queue=queue, Location=location, Name="1001", **headers)


class Asked:
    """A link that writes down what it is asked."""

    def __init__(self, *items: Message, error: Exception | None = None) -> None:
        self.items, self.error = items, error
        self.sent: list[tuple[str, dict[str, str]]] = []

    async def action(self, name: str, headers: Mapping[str, str]) -> None:
        self.sent.append((name, dict(headers)))
        if self.error is not None:
            raise self.error

    async def list_action(self, name: str, headers: Mapping[str, str]) -> list[Message]:
        self.sent.append((name, dict(headers)))
        return list(self.items)


def members(link: Asked) -> AsteriskMembers:
    return AsteriskMembers(cast(Link, link))


async def test_a_queue_of_thousands_is_read_whole() -> None:
    params, caller = message("QueueParams", Queue="q_general"), message("QueueEntry", Queue="q_general")
    link = Asked(params, *(row("q_general", f"PJSIP/seat{n:04}") for n in range(12_000)), caller)
    found = await members(link).of_queue("q_general")
    assert [one.user for one in found] == [f"seat{n:04}" for n in range(12_000)]
    assert link.sent == [("QueueStatus", {"Queue": "q_general"})]


async def test_one_seat_is_asked_for_by_itself() -> None:
    paused = {"Paused": "1", "PausedReason": "meal", "Penalty": "10", "LastCall": "1795296848"}
    there = row("q_general", "PJSIP/seat001", Paused="0", PausedReason="old")
    link = Asked(there, row("q_market", "PJSIP/seat001", **paused), row("q_market", "SIP/9", Paused="0"))
    assert await members(link).of_seat("seat001") == [
        Member("q_general", "seat001", "1001", False, ""),
        Member("q_market", "seat001", "1001", True, "meal", 10, 1_795_296_848),
    ]
    assert link.sent == [("QueueStatus", {"Member": "PJSIP/seat001"})]


@pytest.mark.parametrize(
    ("step", "action", "headers"),
    [
        (Step.ADD, "QueueAdd", {"StateInterface": "PJSIP/seat01", "MemberName": "1001", "Penalty": "10",
                                "Paused": "true", "Reason": "meal"}),
        (Step.PAUSE, "QueuePause", {"Paused": "true", "Reason": "meal"}),
        (Step.WEIGH, "QueuePenalty", {"Penalty": "10"}),
        (Step.REMOVE, "QueueRemove", {}),
    ],
)  # fmt: skip
async def test_each_step_is_one_action(step: Step, action: str, headers: dict[str, str]) -> None:
    link = Asked()
    await members(link).carry_out(Change(step, Member("q_general", "seat01", "1001", True, "meal", 10)))
    assert link.sent == [(action, {"Queue": "q_general", "Interface": "PJSIP/seat01"} | headers)]


async def test_whoever_is_no_seat_of_ours_is_removed_by_the_name_asterisk_gives_them() -> None:
    link = Asked()
    await members(link).carry_out(Change(Step.REMOVE, Member("q_general", "SIP/9", "x", False, "")))
    assert link.sent[0][1]["Interface"] == "SIP/9"


async def test_to_remove_who_is_gone_is_no_fault_and_a_seat_that_cannot_join_is_told() -> None:
    there, refused = Member("q_general", "seat01", "1001", False, ""), AmiRefused("no")
    await members(Asked(error=refused)).carry_out(Change(Step.REMOVE, there))
    for step in (Step.ADD, Step.PAUSE, Step.WEIGH):
        with pytest.raises(AmiRefused):
            await members(Asked(error=refused)).carry_out(Change(step, there))
    with pytest.raises(AmiTimeout):
        await members(Asked(error=AmiTimeout("no answer"))).carry_out(Change(Step.REMOVE, there))


def test_the_end_of_a_talk_and_a_removal_are_news_of_a_seat() -> None:
    assert moved(message("AgentComplete", Interface="PJSIP/seat001")) == "seat001"
    assert moved(message("QueueMemberRemoved", Interface="PJSIP/seat001")) == "seat001"
    assert moved(message("AgentCalled", Interface="PJSIP/seat001")) is None
