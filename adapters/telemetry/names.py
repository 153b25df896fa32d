"""Every attribute and metric name in one place; the GenAI ones are in development and will move again.

Names of the OpenTelemetry GenAI conventions (schema gen-ai-dev/1.42.0) where one exists, the `wordloop.` namespace otherwise.
"""

from domain.call import CallKind

OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens"
PROMPT_NAME = "gen_ai.prompt.name"
PROMPT_VERSION = "gen_ai.prompt.version"
ERROR_TYPE = "error.type"

CALL_KEY = "wordloop.call.key"
INPUT_SHA256 = "wordloop.input.sha256"
PROMPT_SHA256 = "wordloop.prompt.sha256"
MODEL_REVISION = "wordloop.model.revision"
MODEL_PRECISION = "wordloop.model.precision"
BACKEND = "wordloop.backend"
CACHE_HIT = "wordloop.cache.hit"
ATTEMPTS = "wordloop.attempts"
LATENCY_S = "wordloop.latency_s"
AUDIO_SECONDS = "wordloop.audio.seconds"
COST_USD = "wordloop.cost.usd"
TENANT = "wordloop.tenant"
JOB_ID = "wordloop.job.id"
CONVERSATION_ID = "wordloop.conversation.id"
OUTCOME = "wordloop.outcome"
BREAKER_STATE = "wordloop.breaker.state"
RULE = "wordloop.rule"
REFUSED = "refused"
FROM_MEMORY = "wordloop.refusal.remembered"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - the name of an attribute

OPERATIONS = {
    CallKind.TRANSCRIBE: "speech_to_text",
    CallKind.GENERATE: "chat",
    CallKind.EMBED: "embeddings",
    CallKind.FIND: "find_items",
    CallKind.ENTAIL: "judge_entailment",
    CallKind.DIARIZE: "tell_speakers",
}
"""`chat` and `embeddings` are listed, `speech_to_text` is proposed (semantic-conventions-genai #390), `find_items` is our own."""

PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "seed": "gen_ai.request.seed",
    "max_tokens": "gen_ai.request.max_tokens",
    "dimensions": "gen_ai.embeddings.dimension.count",
    "language": "gen_ai.speech.input.language",
    "schema_sha256": "wordloop.schema.sha256",
    "input_type": "wordloop.request.input_type",
    "task": "wordloop.request.task",
    "beam_size": "wordloop.request.beam_size",
    "second_try": "wordloop.request.second_try",
    "assume_speech": "wordloop.request.assume_speech",
    "word_timestamps": "wordloop.request.word_timestamps",
}
"""Parameters that are shown. A parameter that is not listed is not: the vocabulary of a transcription is content."""

DURATION = "gen_ai.client.operation.duration"
TOKENS = "gen_ai.client.token.usage"
CALLS = "wordloop.calls"
AUDIO = "wordloop.audio.transcribed"
COST = "wordloop.cost"
CACHE_HITS = "wordloop.cache.hits"
RETRIES = "wordloop.retries"
REMEMBERED = "wordloop.refusals.remembered"
BREAKER = "wordloop.breaker.open"

DURATION_BUCKETS_S = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
TOKEN_BUCKETS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864]
"""Bucket edges that the conventions recommend."""
