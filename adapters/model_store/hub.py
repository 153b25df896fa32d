"""The model hub, asked only when a person allowed it, and never when the environment says offline."""

from collections.abc import Mapping
from pathlib import Path

from adapters.model_store.errors import ModelOffline, ModelSourceMissing
from adapters.model_store.sources import Hub

TRUE = {"1", "on", "yes", "true"}
"""What huggingface_hub itself takes for yes in HF_HUB_OFFLINE."""


class ForbiddenHub(Hub):
    """A hub that is not asked. `reason` completes the sentence «the hub is not asked, because ...»."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def require_allowed(self, what: str) -> None:
        raise ModelOffline(
            f"{what} is not fetched from the hub, because {self._reason}. Fetch it where the network is "
            "(`wordloop models fetch --allow-hub`), "
            "or copy it here and name its folder.",
            f"the hub is not asked, because {self._reason}",
        )

    def file(self, repository: str, revision: str, name: str, scratch: Path) -> Path:
        self.require_allowed(repository)
        raise AssertionError("unreachable")

    def names(self, repository: str, revision: str) -> list[str]:
        self.require_allowed(repository)
        raise AssertionError("unreachable")


class HuggingFaceHub(Hub):
    """huggingface.co, or the endpoint that HF_ENDPOINT names."""

    def require_allowed(self, what: str) -> None:
        pass

    def file(self, repository: str, revision: str, name: str, scratch: Path) -> Path:
        from huggingface_hub import hf_hub_download

        try:
            return Path(hf_hub_download(repository, name, revision=revision, local_dir=scratch))
        except Exception as failed:  # huggingface_hub lets every kind of its HTTP client's errors through
            raise _unreachable(repository, revision, failed) from failed

    def names(self, repository: str, revision: str) -> list[str]:
        from huggingface_hub import HfApi

        try:
            return list(HfApi().list_repo_files(repository, revision=revision))
        except Exception as failed:
            raise _unreachable(repository, revision, failed) from failed


def hub_for(environment: Mapping[str, str], allowed: bool) -> Hub:
    """The real hub when `allowed` and HF_HUB_OFFLINE is not set; otherwise one that refuses with the reason."""
    if environment.get("HF_HUB_OFFLINE", "").lower() in TRUE:
        return ForbiddenHub("HF_HUB_OFFLINE is set")
    return HuggingFaceHub() if allowed else ForbiddenHub("fetching from the hub was not allowed")


def _unreachable(repository: str, revision: str, failed: Exception) -> ModelSourceMissing:
    return ModelSourceMissing(
        f"the hub did not give {repository} at {revision[:12]} ({type(failed).__name__}: {str(failed)[:200]}); "
        "check the network, HF_ENDPOINT, and that the repository and commit exist"
    )
