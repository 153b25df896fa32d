"""The embedder before a change is served beside the one that embeds, and its searches know its scale."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.scripted import SCRIPTED_MODEL
from adapters.sql import SqlStore
from domain.call import ModelIdentity
from domain.search import CosineScale
from serve_app.composition.composition import Composition
from serve_app.composition.database import database_url
from serve_app.engines.served_models import ServedModels
from serve_app.graph.application import bind
from serve_app.settings.service import Settings

OLD = ModelIdentity("old", "1", "scripted", "float32")
MODELS = ServedModels(*[SCRIPTED_MODEL] * 4)
PREVIOUS: dict[str, Any] = {"model": "old", "dimensions": 12, "cosines": {"unrelated": 0.1, "related": 0.6, "same": 0.8}}


def settings(folder: Path, previous: dict[str, Any] | None) -> Settings:
    return Settings.model_validate({"data_dir": folder, "embedder": {"previous": previous}})


def deployments(node: Any) -> set[str]:
    """The names of a bound graph."""
    found = {node._bound_deployment.name}
    for argument in (*node._bound_deployment.init_args, *node._bound_deployment.init_kwargs.values()):
        for each in argument.values() if isinstance(argument, dict) else (argument,):
            found |= deployments(each) if hasattr(each, "_bound_deployment") else set()
    return found


def test_it_is_a_deployment_of_its_own_with_the_resources_of_the_other(tmp_path: Path) -> None:
    models = replace(MODELS, previous_embedder=OLD)
    options = {"Embedder": {"ray_actor_options": {"num_cpus": 0}}}
    assert "PreviousEmbedder" in deployments(bind(settings(tmp_path, PREVIOUS), models, options))
    assert "PreviousEmbedder" not in deployments(bind(settings(tmp_path, None), MODELS, options))


def test_searches_know_it_and_what_its_cosines_mean(tmp_path: Path) -> None:
    models = replace(MODELS, previous_embedder=OLD)
    SqlStore.migrate(database_url(settings(tmp_path, PREVIOUS)))
    previous = Composition(settings(tmp_path, PREVIOUS), models, {"previous_embedder": None}, "ingress").previous_embedder
    assert previous is not None
    assert (previous.identity, previous.dimensions, previous.cosines) == (OLD, 12, CosineScale(0.1, 0.6, 0.8))
    assert Composition(settings(tmp_path, None), MODELS, {}, "ingress").previous_embedder is None
