"""Draw the state tables of ``ivr.calls.states`` into ``docs/call-life.md``.

The table in the code is the truth; what stands between the marks of the page is written here and
nowhere else.  Run it after changing the table: ``python -m tools.draw_states``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ivr.calls.callbacks import CALLBACK_TRANSITIONS, CallbackState
from ivr.calls.events import Kind
from ivr.calls.states import CALL_TRANSITIONS, SEAT_TRANSITIONS, CallState, SeatState

PAGE = Path(__file__).resolve().parents[1] / "docs/call-life.md"
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
    drawings = {
        "call": draw(CALL_TRANSITIONS, CallState.GREETING),
        "seat": draw(SEAT_TRANSITIONS, SeatState.LOGGED_OUT),
        "callback": draw(CALLBACK_TRANSITIONS, CallbackState.WAITING),
    }
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


if __name__ == "__main__":
    main()
