"""`python -m tests.coverage_by_room`: branch coverage by package as last measured; exit 1 where one fell below its floor."""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from coverage import Coverage
from coverage.exceptions import NoDataError

ROOT = Path(__file__).parents[1]
FLOORS: Final[dict[str, float]] = {}
"""Per cent of lines and branches that the fast tests reach, by package."""


def room_of(path: Path) -> str:
    """Return the package that a module is counted under: that of an adapter by itself, all others by their first folder."""
    parts = path.parts
    return "/".join(parts[:2]) if parts[0] == "adapters" and len(parts) > 2 else parts[0]


def measured() -> dict[str, float]:
    """Return per cent of lines and branches together, by package. Raises NoDataError when nothing was measured."""
    coverage = Coverage(config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        coverage.json_report(outfile=f"{folder}/coverage.json")
        files = json.loads(Path(folder, "coverage.json").read_text())["files"]
    reached, there = Counter[str](), Counter[str]()
    for name, told in files.items():
        summary, room = told["summary"], room_of(Path(name))
        reached[room] += summary["covered_lines"] + summary["covered_branches"]
        there[room] += summary["num_statements"] + summary["num_branches"]
    return {room: 100 * reached[room] / there[room] for room in sorted(there) if there[room]}


def main() -> None:
    """Print the table."""
    try:
        rooms = measured()
    except NoDataError:
        sys.exit("no coverage was measured here yet: ./just coverage")
    low = {room: floor for room, floor in FLOORS.items() if rooms.get(room, 0.0) < floor}
    for room, share in rooms.items():
        floor = f"at least {FLOORS[room]:.0f}" if room in FLOORS else ""
        sys.stdout.write(f"{room:40} {share:5.1f} % {floor}{'  too low' if room in low else ''}\n")
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    main()
