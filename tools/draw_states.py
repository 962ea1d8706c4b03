"""Draw the state tables into ``docs/call-life.md`` and ``docs/three-way.md``.

The table in the code is the truth; what stands between the marks of the page is written here and
nowhere else.  Run it after changing the table: ``python -m tools.draw_states``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ivr.calls.callback import CALLBACK_TRANSITIONS, CallbackState
from ivr.calls.states import CALL_TRANSITIONS, SEAT_TRANSITIONS, CallState, SeatState
from ivr.events.event import Kind
from ivr.transfers.states import DEADLINES, EMERGENCY_TRANSITIONS, TRANSITIONS, TransferState

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "call-life.md"
THREE_WAY_PAGE = DOCS / "three-way.md"
State = TypeVar("State", bound=enum.StrEnum)


def marks(name: str) -> tuple[str, str]:
    """Return the lines between which a drawing stands."""
    return f"<!-- {name}: drawn by tools/draw_states.py -->", f"<!-- {name}: end -->"


def draw(table: Mapping[State, Mapping[Kind, State]], first: State) -> str:
    """Return one table of transitions as a Mermaid picture and as rows."""
    picture = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    rows = ["| in this state | when this happens | then |", "|---|---|---|"]
    for state, changes in table.items():
        for following in dict.fromkeys(changes.values()):
            kinds = ", ".join(kind for kind, then in changes.items() if then == following)
            picture.append(f"    {state} --> {following}: {kinds}")
        rows += [f"| {state} | {kind} | {then} |" for kind, then in changes.items()]
        if not changes:
            picture.append(f"    {state} --> [*]")
            rows.append(f"| {state} | nothing more | |")
    return "\n".join([*picture, "```", "", *rows])


def drawn(page: str) -> str:
    """Return a page with its drawings made anew.

    Raises:
        ValueError: the page has lost a mark.
    """
    return _with(
        page,
        {
            "call": draw(CALL_TRANSITIONS, CallState.GREETING),
            "seat": draw(SEAT_TRANSITIONS, SeatState.LOGGED_OUT),
            "callback": draw(CALLBACK_TRANSITIONS, CallbackState.WAITING),
        },
    )


def drawn_three_way(page: str) -> str:
    """Return the page of three-way calls with its drawings made anew.

    Raises:
        ValueError: the page has lost a mark.
    """
    deadlines = ["| in this state | at most (s) |", "|---|---|"]
    deadlines += [f"| {state} | {seconds:g} |" for state, seconds in DEADLINES.items()]
    return _with(
        page,
        {
            "transfer": draw(TRANSITIONS, TransferState.IDLE),
            "emergency": draw(EMERGENCY_TRANSITIONS, TransferState.IDLE),
            "deadlines": "\n".join(deadlines),
        },
    )


def _with(page: str, drawings: Mapping[str, str]) -> str:
    for name, drawing in drawings.items():
        begin, end = marks(name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the page must have the lines {begin!r} and {end!r}")
        page = f"{before}{begin}\n{drawing}\n{end}{after}"
    return page


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    three_way = THREE_WAY_PAGE.read_text(encoding="utf-8")
    THREE_WAY_PAGE.write_text(drawn_three_way(three_way), encoding="utf-8")


if __name__ == "__main__":
    main()
