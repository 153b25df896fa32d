"""The settings that a command was pointed at."""

from pathlib import Path
from typing import TYPE_CHECKING

from serve_app.terminal.arguments import check_config

if TYPE_CHECKING:
    from serve_app.settings.service import Settings


def chosen_settings(config: Path | None, data_dir: Path | None) -> "Settings":
    """Return the settings that a command was pointed at: those of a file or the embedded ones, on the data folder named.

    Raises ArgumentWrong or ConfigurationInvalid.
    """
    from serve_app.settings.serve_file import config_path, load_config

    check_config(config)
    settings = load_config(config_path(config)).settings
    return settings if data_dir is None else settings.model_copy(update={"data_dir": data_dir})
