"""A body for every route that takes JSON: shown in the document, filled into the page, and sent by a test."""

from collections.abc import Mapping
from typing import Any, Final

SAID: Final = [
    {"start": 0.0, "end": 3.2, "speaker": "Ann", "text": "The export crashes on large files."},
    {"start": 3.4, "end": 6.0, "speaker": "Bob", "text": "I will fix it by Friday."},
]
BODIES: Mapping[str, Mapping[str, Any]] = {
    "create_conversation": {"audio_url": "https://example.com/meeting.ogg", "language": "en", "recorded_at": "2026-11-30"},
    "create_transcription": {
        "audio_url": "https://example.com/meeting.ogg",
        "vocabulary": "Wordloop",
        "speakers": {"min": 2, "max": 4, "names": ["Ana", "Ben"]},
    },
    "create_recap": {"segments": SAID, "language": "en", "recorded_at": "2026-11-30"},
    "create_embeddings": {"input": ["Who fixes the crash?"]},
    "complete": {"messages": [{"role": "user", "content": "Say good morning."}], "max_tokens": 32},
    "rename_speakers": {"Speaker 1": "Ana", "Speaker 2": "Ben"},
    "search": {"query": "Who fixes the crash?", "limit": 5},
    "estimate": {"audio_seconds": 600, "language": "en"},
    "create_webhook": {"url": "https://hooks.example.com/wordloop", "events": ["job.completed", "job.failed"]},
}
"""By operation id."""
