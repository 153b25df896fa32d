"""Keys of a config file held against Ray Serve's own schema, which accepts any silently."""

from typing import Any


def unknown_keys(raw: Any) -> list[str]:
    """Return a line per key that Ray Serve's schema does not know; Serve itself drops them without a word."""
    from ray.serve.config import HTTPOptions
    from ray.serve.schema import (
        DeploymentSchema,
        HTTPOptionsSchema,
        LoggingConfig,
        ServeApplicationSchema,
        ServeDeploySchema,
    )

    if not isinstance(raw, dict) or not isinstance(raw.get("applications"), list):
        return ["a mapping with a list of applications is expected"]
    http_fields = set(HTTPOptionsSchema.model_fields) | set(HTTPOptions.model_fields)
    findings = _surplus(raw, set(ServeDeploySchema.model_fields), "")
    findings += _surplus(raw.get("http_options"), http_fields, "http_options.")
    findings += _surplus(raw.get("logging_config"), set(LoggingConfig.model_fields), "logging_config.")
    for application in raw["applications"]:
        findings += _surplus(application, set(ServeApplicationSchema.model_fields), "applications[].")
        for entry in application.get("deployments") or []:
            section_path = f"deployments[{entry.get('name', '?')}]."
            findings += _surplus(entry, set(DeploymentSchema.model_fields), section_path)
    return findings


def _surplus(section: Any, known: set[str], section_path: str) -> list[str]:
    if section is None:
        return []
    if not isinstance(section, dict):
        return [f"{section_path or 'the file'}: a mapping is expected"]
    return [f"{section_path}{key}: no such setting" for key in section if key not in known]
