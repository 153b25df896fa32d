"""Which model answers which kind of call, and which deployment serves it."""

from domain.call import CallKind

PORTS = {
    CallKind.TRANSCRIBE: "transcriber",
    CallKind.GENERATE: "language_model",
    CallKind.EMBED: "embedder",
    CallKind.FIND: "reader",
    CallKind.ENTAIL: "reader",
    CallKind.DIARIZE: "diarizer",
}
"""The port that answers each kind of call, by the name of its settings and of its deployment's handle."""
DEPLOYMENTS = {
    "transcriber": "Transcriber",
    "language_model": "LanguageModel",
    "embedder": "Embedder",
    "reader": "Reader",
    "diarizer": "Diarizer",
}
"""The deployment of Ray Serve behind each port, by the names that `deployments` of the configuration uses."""
