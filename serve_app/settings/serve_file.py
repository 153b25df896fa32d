"""`serve_config.yaml`: which one counts, and what it says, held against Ray Serve's own schema."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from serve_app.errors import ConfigurationInvalid
from serve_app.settings.serve_schema import unknown_keys
from serve_app.settings.service import HttpSettings, Settings
from serve_app.settings.strict import Strict

DEFAULT_CONFIG = Path(__file__).parents[2] / "serve_config.yaml"
PACKAGED_CONFIG = Path(__file__).parents[1] / "serve_config.yaml"


def config_path(named: Path | None) -> Path:
    """The file asked for, else the repository's, else the one inside the package."""
    if named is not None:
        return named
    return DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else PACKAGED_CONFIG


SERVES_ONGOING = 5
"""Requests at once of a deployment for which nothing is said: Ray Serve's default."""


class ServeFile(Strict):
    """A parsed `serve_config.yaml`: the application's settings beside Ray Serve's own knobs."""

    settings: Settings
    proxy_location: str
    http_options: dict[str, Any]
    logging_config: dict[str, Any]
    deployments: dict[str, dict[str, Any]]
    environment: dict[str, str]


def load_config(path: Path) -> ServeFile:
    """Read and check a config file. Raises ConfigurationInvalid with every finding, each with its place."""
    try:
        raw = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationInvalid(f"{path}: {error}") from error
    problems = unknown_keys(raw)
    if problems:
        raise ConfigurationInvalid(f"{path}: " + "; ".join(problems))
    if len(raw["applications"]) != 1:
        raise ConfigurationInvalid(f"{path}: exactly one application is expected")
    application = raw["applications"][0]
    settings = parse_settings(application.get("args", {}), str(path))
    _check_ingress(path, application.get("deployments", []), settings.http)
    return ServeFile(
        settings=settings,
        proxy_location=raw.get("proxy_location", "HeadOnly"),
        http_options=raw.get("http_options", {}),
        logging_config=raw.get("logging_config", {}),
        deployments={entry["name"]: _options(entry) for entry in application.get("deployments", [])},
        environment=(application.get("runtime_env") or {}).get("env_vars", {}),
    )


def _check_ingress(path: Path, deployments: list[dict[str, Any]], http: HttpSettings) -> None:
    """Raise ConfigurationInvalid where Serve would let requests wait: a probe waits behind them then."""
    for entry in deployments:
        most = entry.get("max_ongoing_requests", SERVES_ONGOING)
        if entry["name"] == "Ingress" and most <= http.connections:
            text = f"deployments[Ingress].max_ongoing_requests: {most} is no more than args.http.connections ({http.connections})"
            raise ConfigurationInvalid(f"{path}: {text}, so /livez would wait behind other requests")


def parse_settings(arguments: dict[str, Any], source: str) -> Settings:
    """Turn `args` into Settings. Raises ConfigurationInvalid naming each bad key and why."""
    try:
        return Settings.model_validate(arguments)
    except ValidationError as error:
        findings = (f"args.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigurationInvalid(f"{source}: " + "; ".join(findings)) from error


def _options(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "name"}
