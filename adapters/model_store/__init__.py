"""The bundled models: one manifest, assembled once into a cache folder, every byte checked.

`ModelStore(cache_dir).ensure("whisper-base").path` is all that an engine needs.
"""

from adapters.model_store.cache_folder import Complete, default_cache_dir
from adapters.model_store.hub import ForbiddenHub, HuggingFaceHub, hub_for
from adapters.model_store.manifest import BundledModel, Manifest, ModelFormat, ModelKind, bundled_manifest
from adapters.model_store.progress import Progress, SilentProgress
from adapters.model_store.sources import install_command
from adapters.model_store.store import ModelFolder, ModelStore

__all__ = [
    "BundledModel",
    "Complete",
    "ForbiddenHub",
    "HuggingFaceHub",
    "Manifest",
    "ModelFolder",
    "ModelFormat",
    "ModelKind",
    "ModelStore",
    "Progress",
    "SilentProgress",
    "bundled_manifest",
    "default_cache_dir",
    "hub_for",
    "install_command",
]
