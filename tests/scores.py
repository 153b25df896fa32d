"""What the scores of the bundled transcriber mean: for tests of what is done with them."""

from adapters.model_store.manifest import bundled_manifest
from domain.transcript_gates import UNMEASURED_SCORES

WHISPER_SCORES = bundled_manifest().model("whisper-base").scores or UNMEASURED_SCORES
