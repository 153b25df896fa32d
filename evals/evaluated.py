"""Which configuration is scored: the embedded default with its engine named, so that every machine scores the same thing."""

import os
from typing import Final

from serve_app.settings.models import LanguageModelSettings
from serve_app.settings.service import Settings

ENGINE_VARIABLE: Final = "WORDLOOP_EVAL_ENGINE"
"""Environment variable: `llama-cpp` (the default, which the baselines are of) or `vllm`, to hold one against the other."""


def evaluated_settings() -> Settings:
    """Return the settings that evaluations run."""
    engine = os.environ.get(ENGINE_VARIABLE, "llama-cpp")
    chosen = LanguageModelSettings.model_validate({"engine": engine, "device": "auto" if engine == "vllm" else "cpu"})
    return Settings(language_model=chosen)
