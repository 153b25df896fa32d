"""`python -m dashboards` writes docs/dashboards anew; `just dashboards` calls it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from dashboards.alerts import rules
from dashboards.grafana import rendered
from dashboards.listing import listing
from dashboards.pages import PAGES

FOLDER: Final = Path(__file__).parents[1] / "docs" / "dashboards"
HEAD: Final = (
    "# Made by `just dashboards` from dashboards/alerts.py; docs/operate.md says what each alert means and what to do.\n"
)


def files() -> Mapping[str, str]:
    """Return every file of the folder by its name."""
    made = {f"{page.uid}.json": rendered(page) for page in PAGES}
    made |= {"metrics.md": listing()}
    return made | {"alerts.yml": HEAD + yaml.safe_dump(rules(), sort_keys=False, width=4096)}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)
        print(FOLDER.name, name)
