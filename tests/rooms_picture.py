"""The rooms of the code and who imports whom, drawn for docs/structure.md: `python -m tests.rooms_picture` draws them anew."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import grimp

ROOT: Final = Path(__file__).parents[1]
DOCUMENT: Final = ROOT / "docs" / "structure.md"
PACKAGES: Final = (
    "domain", "ports", "prompts", "application", "adapters", "serve_app", "evals", "benchmarks", "training", "dashboards",
)  # fmt: skip
DIVIDED: Final = ("serve_app", "adapters.http")
"""Packages that are drawn room by room; every other one is a room itself."""
SMALL: Final = frozenset({"serve_app.__main__", "serve_app.errors", "serve_app.demo"})
"""Not drawn: no room, and nothing that a reader looks for."""
BEGIN, END = "<!-- rooms: begin -->\n", "<!-- rooms: end -->\n"

Arrows = Mapping[str, frozenset[str]]


def rooms() -> Arrows:
    """Each room with those that it imports from."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    arrows: dict[str, set[str]] = {}
    for module in graph.modules:
        if (room := room_of(module)) is None:
            continue
        arrows.setdefault(room, set())
        others = {room_of(each) for each in graph.find_modules_directly_imported_by(module)}
        arrows[room] |= {each for each in others if each is not None and each != room}
    return {room: frozenset(others) for room, others in arrows.items()}


def room_of(module: str) -> str | None:
    """The room in which a module stands; None for what is not drawn."""
    for package in DIVIDED:
        if module == package:
            return None
        if module.startswith(f"{package}."):
            room = f"{package}.{module.removeprefix(f'{package}.').partition('.')[0]}"
            return None if room in SMALL else room
    return module.partition(".")[0]


def reduced(arrows: Arrows) -> Arrows:
    """The arrows without those that a longer way says already."""
    below = {room: _below(arrows, room) for room in arrows}
    return {
        room: frozenset(
            each for each in others if not any(each in below[other] and room not in below[other] for other in others - {each})
        )
        for room, others in arrows.items()
    }


def _below(arrows: Arrows, room: str) -> frozenset[str]:
    """All rooms that one rests on."""
    found: set[str] = set()
    waiting = [room]
    while waiting:
        new = arrows[waiting.pop()] - found
        found |= new
        waiting += new
    return frozenset(found)


def picture(arrows: Arrows) -> str:
    """Mermaid: a box for each room, an arrow to what it rests on."""
    lines = ["```mermaid", "flowchart TD"]
    for package in DIVIDED:
        inside = sorted(room for room in arrows if room.startswith(f"{package}."))
        lines += [f'  subgraph {_id(package)}["{package.replace(".", "/")}"]', *(f"    {_box(room)}" for room in inside), "  end"]
    lines += [f"  {_box(room)}" for room in sorted(arrows) if "." not in room]
    lines += [f"  {_id(room)} --> {_id(other)}" for room, others in sorted(reduced(arrows).items()) for other in sorted(others)]
    return "\n".join([*lines, "```", ""])


def table(arrows: Arrows) -> str:
    """What each room holds, in the words of its own docstring."""
    rows = [f"| `{_path(room)}` | {held(room)} |" for room in sorted(arrows)]
    return "\n".join(["| room | holds |", "| --- | --- |", *rows, ""])


def held(room: str) -> str:
    """The first sentence of a room's docstring."""
    words = ast.get_docstring(ast.parse(_source(room).read_text(encoding="utf-8"))) or ""
    return words.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _box(room: str) -> str:
    return f'{_id(room)}["{room.rpartition(".")[2]}"]'


def _id(room: str) -> str:
    return room.replace(".", "_")


def _source(room: str) -> Path:
    folder = ROOT / room.replace(".", "/")
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def _path(room: str) -> str:
    path = room.replace(".", "/")
    return f"{path}/" if (ROOT / path).is_dir() else f"{path}.py"


def drawn() -> str:
    """What stands between the marks of the document."""
    arrows = rooms()
    return f"{picture(arrows)}\n{table(arrows)}"


def parts(document: str) -> Iterator[str]:
    """What is before the drawing, the drawing, and what follows on it."""
    before, _, rest = document.partition(BEGIN)
    inside, _, after = rest.partition(END)
    yield from (before + BEGIN, inside, END + after)


if __name__ == "__main__":
    before, _, after = parts(DOCUMENT.read_text(encoding="utf-8"))
    DOCUMENT.write_text(before + drawn() + after, encoding="utf-8")
