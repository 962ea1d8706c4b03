"""Draw the house from the code: ``docs/architecture.svg`` and the table of ``docs/architecture.md``.

The floors are those of the import contract in ``pyproject.toml``, who uses whom is what the modules
import, and what a folder is for is the first sentence of its docstring.  Run it after a folder or an
arrow between two folders was added: ``make drawings``.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import grimp

TOP = Path(__file__).resolve().parents[1]
PAGE = TOP / "docs/architecture.md"
PICTURE = TOP / "docs/architecture.svg"
PACKAGE = "ivr"
BEGIN, END = "<!-- house: drawn by tools/architecture.py -->", "<!-- house: end -->"
SHOWN_OUTSIDE = frozenset(
    {"alembic", "asyncpg", "click", "cryptography", "jinja2", "panoramisk"}
    | {"pydantic", "pydub", "simpy", "sqlalchemy", "vosk"}
)
"""Libraries that say something about a folder; orjson and psutil do not."""

WIDTH, FLOOR, BOX, WIDEST, GAP, HEAD, MARGIN = 1180, 90, 46, 190, 22, 64, 16

Arrows = frozenset[tuple[str, str]]
"""Who uses whom, by folder."""


@dataclass(frozen=True)
class House:
    """What is drawn.

    Attributes:
        floors: the folders of each floor, the highest first.
        uses: arrows between folders that the contract allows.
        owed: arrows that it makes exceptions for, each somewhere in a list in ``pyproject.toml``.
        outside: the libraries that a folder uses, of those worth showing.
        purposes: the first sentence of each folder's docstring.
    """

    floors: tuple[tuple[str, ...], ...]
    uses: Arrows
    owed: Arrows
    outside: Mapping[str, tuple[str, ...]]
    purposes: Mapping[str, str]


def read() -> House:
    """Read the house from the contract and the modules."""
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(contract for contract in contracts["contracts"] if contract["type"] == "layers")
    floors = tuple(
        tuple(sorted(layer.replace(":", "|").replace(" ", "").split("|"))) for layer in layers["layers"]
    )
    owed_lines = {tuple(line.replace(" ", "").split("->")) for line in layers.get("ignore_imports", ())}
    graph = grimp.build_graph(PACKAGE, include_external_packages=True, cache_dir=None)
    uses: set[tuple[str, str]] = set()
    owed: set[tuple[str, str]] = set()
    outside: dict[str, set[str]] = {}
    for module in graph.modules:
        if not (folder := _folder(module)):
            continue
        for imported in graph.find_modules_directly_imported_by(module):
            if (other := _folder(imported)) and other != folder:
                (owed if (module, imported) in owed_lines else uses).add((folder, other))
            elif imported in SHOWN_OUTSIDE:
                outside.setdefault(folder, set()).add(imported)
    return House(
        floors,
        frozenset(uses),
        frozenset(owed - uses),
        {folder: tuple(sorted(names)) for folder, names in outside.items()},
        {folder: _purpose(folder) for floor in floors for folder in floor},
    )


def _folder(module: str) -> str:
    """Return the folder of the house that a module is in, nothing for a module of others."""
    parts = module.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else ""


def _purpose(folder: str) -> str:
    path = TOP / PACKAGE / folder
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    told = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(told.split("\n\n")[0].split()).replace("``", "`").rstrip(".")


def direct(arrows: Arrows) -> Arrows:
    """Return the arrows that say something new: a way over other folders says the rest."""
    below = {start: {end for begin, end in arrows if begin == start} for start, _ in arrows}

    def reached(start: str, seen: set[str]) -> set[str]:
        for end in below.get(start, set()) - seen:
            seen.add(end)
            reached(end, seen)
        return seen

    return frozenset(
        (start, end)
        for start, end in arrows
        if not any(end in reached(other, set()) for other in below[start] - {end})
    )


def picture(house: House) -> str:
    """Return the house as SVG."""
    places = _places(house)
    height = HEAD + FLOOR * len(house.floors) + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="DejaVu Sans, Noto Sans, sans-serif" font-size="13">',
        "<title>The house: who uses whom, from the import contract and the code</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8595a8"/></marker>'
        '<marker id="owed" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#c2410c"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="28" font-size="17" font-weight="bold" fill="#16202c">ivr/ — imports go down only</text>',
        f'<text x="{MARGIN}" y="48" fill="#52606d">An arrow: uses; drawn where no way over others says it already. '
        f"Dashed: an exception to the contract ({len(house.owed)} still owed).</text>",
    ]
    for number in range(len(house.floors)):
        if number % 2 == 0:
            lines.append(
                f'<rect y="{HEAD + FLOOR * number}" width="{WIDTH}" height="{FLOOR}" fill="#f4f6f9"/>'
            )
    lines += [_arrow(places, arrow, "#8595a8", "tip") for arrow in sorted(direct(house.uses))]
    lines += [
        _arrow(places, arrow, "#c2410c", "owed", ' stroke-dasharray="5 4"') for arrow in sorted(house.owed)
    ]
    lines += [_box(folder, place, house.outside.get(folder, ())) for folder, place in places.items()]
    return "\n".join([*lines, "</svg>", ""])


Place = tuple[float, float, float]
"""Left, top and width of a box."""


def _places(house: House) -> dict[str, Place]:
    """Spread each floor over the whole width, every folder near the middle of those above that use it."""
    places: dict[str, Place] = {}
    for number, floor in enumerate(house.floors):
        room = (WIDTH - 2 * MARGIN) / len(floor)
        width = min(WIDEST, room - GAP)
        for position, folder in enumerate(
            sorted(floor, key=lambda one: (_middle_above(one, house, places), one))
        ):
            left = MARGIN + room * (position + 0.5) - width / 2
            places[folder] = (left, HEAD + FLOOR * number + (FLOOR - BOX) / 2, width)
    return places


def _middle_above(folder: str, house: House, places: Mapping[str, Place]) -> float:
    above = [places[start] for start, end in house.uses if end == folder and start in places]
    return sum(left + width / 2 for left, _, width in above) / len(above) if above else WIDTH / 2


def _box(folder: str, place: Place, outside: tuple[str, ...]) -> str:
    left, top, width = place
    middle = left + width / 2
    base = top + (21 if outside else 28)
    name = f'<text x="{middle:.0f}" y="{base:.0f}" text-anchor="middle" font-weight="bold" fill="#16202c">'
    small = (
        f'<text x="{middle:.0f}" y="{top + 37:.0f}" text-anchor="middle" font-size="10.5" fill="#52606d">'
        f"{escape(' · '.join(outside))}</text>"
        if outside
        else ""
    )
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{BOX}" rx="7" fill="#ffffff" stroke="#2f6f8f" '
        f'stroke-width="1.4"/>{name}{escape(folder)}</text>{small}'
    )


def _arrow(places: Mapping[str, Place], arrow: tuple[str, str], colour: str, tip: str, more: str = "") -> str:
    """Return a line from one box's nearer edge to the other's, where it meets the others least."""
    (left, top, width), (other_left, other_top, other_width) = (places[folder] for folder in arrow)
    down = other_top >= top
    start, end = left + width / 2, other_left + other_width / 2
    lean = max(-0.35, min(0.35, (end - start) / WIDTH))
    start, end = start + lean * width, end - lean * other_width
    begin_y, end_y = (top + BOX, other_top) if down else (top, other_top + BOX)
    bend = (end_y - begin_y) * 0.45
    return (
        f'<path d="M{start:.0f} {begin_y:.0f}C{start:.0f} {begin_y + bend:.0f} {end:.0f} {end_y - bend:.0f} '
        f'{end:.0f} {end_y:.0f}" fill="none" stroke="{colour}" stroke-width="1.2"{more} marker-end="url(#{tip})"/>'
    )


def table(house: House) -> str:
    """Return what each folder is for and uses, the highest floor first."""
    rows = ["| folder | what | uses | owed | libraries |", "|---|---|---|---|---|"]
    for floor in house.floors:
        for folder in floor:
            uses, owed = (
                ", ".join(sorted(end for start, end in arrows if start == folder))
                for arrows in (house.uses, house.owed)
            )
            path = f"{folder}/" if (TOP / PACKAGE / folder).is_dir() else f"{folder}.py"
            what = house.purposes[folder].replace("|", "\\|")
            rows.append(
                f"| `{path}` | {what} | {uses} | {owed} | {', '.join(house.outside.get(folder, ()))} |"
            )
    return "\n".join(rows)


def drawn(page: str, house: House) -> str:
    """Return the page with its table made anew.

    Raises:
        ValueError: the page has lost a mark.
    """
    before, found, rest = page.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"the page must have the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{table(house)}\n{END}{after}"


def main() -> None:
    """Rewrite the page and the picture."""
    house = read()
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8"), house), encoding="utf-8")
    PICTURE.write_text(picture(house), encoding="utf-8")


if __name__ == "__main__":
    main()
