"""Why a three-way call cannot go on as somebody wishes, in one sentence each."""

from __future__ import annotations

from ivr.errors import HotlineError


class TransferRefused(HotlineError):
    """A third party cannot be brought in; ``reason`` is a word for programs and prompts."""

    code = "transfer"

    def __init__(self, reason: str, sentence: str, zh: str, *, retry: bool | None = None) -> None:
        super().__init__(sentence, zh, retry=retry)
        self.reason = reason


def unknown(name: str) -> TransferRefused:
    """Say that there is no such target."""
    return TransferRefused(
        "wrong",
        f"there is no target {name!r}; targets are listed by `ivr transfer targets`.",
        f"没有转接目标 {name}；可用 ivr transfer targets 查看。",
    )


def loop(name: str) -> TransferRefused:
    """Say that a call is not sent back to where it came from."""
    return TransferRefused(
        "loop",
        f"the call came from {name} and is not sent back there; keep it, or bring somebody else in.",
        f"来电由{name}转来，不能转回；请自行受理或转其他单位。",
    )


def not_now(what: str) -> TransferRefused:
    """Say that a step does not fit the present state."""
    return TransferRefused(
        "not_now",
        f"{what} is not possible now; `ivr calls show` tells how far the call is.",
        f"现在不能执行 {what}；可用 ivr calls show 查看进展。",
    )


def no_such_call(call_id: str) -> TransferRefused:
    """Say that nobody talks on that call."""
    return TransferRefused(
        "no_call",
        f"no operator talks on call {call_id!r}; calls are listed by `ivr calls list`.",
        f"来电 {call_id} 没有正在通话的话务员；可用 ivr calls list 查看。",
    )


def no_code(digits: str) -> TransferRefused:
    """Say that no target has that code."""
    return TransferRefused(
        "wrong",
        f"there is no target with the code {digits!r}; `ivr transfer targets` lists them.",
        f"没有代码为 {digits} 的转接目标；可用 ivr transfer targets 查看。",
    )
