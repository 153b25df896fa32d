"""What scripted engines say in place of all five models: a made-up meeting, decided by the input alone.

The same request always gets the same answer. Nothing here listens, reads or understands.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from adapters.scripted.diarizer import stretches
from adapters.scripted.entailment_judge import judged_by
from adapters.scripted.item_finder import found_by, span_of
from adapters.scripted.schema_examples import example_of
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from domain.call import CallKind, ModelIdentity, Usage
from domain.finding import NOTHING_FOUND, Line, LineReading
from domain.speakers import Stretch
from ports.model_backend import (
    DiarizeRequest,
    EmbedRequest,
    EntailRequest,
    FindRequest,
    GenerateRequest,
    ModelRequest,
    RawOutput,
    TranscribeRequest,
)

SCENES: Final = (
    (
        "The invoice export fails for large customers since the last release.",
        "We compared the numbers of March with those of the old system yesterday, and they differ by four percent.",
        "Ann will repair the invoice export by Friday.",
        "So we decided to keep the old export until the new one has passed its tests.",
        "Who tells the three customers that wait for their invoices?",
    ),
    (
        "The new login page has been live for a week, and nine of ten people get through it at once.",
        "Most complaints come from older phones, where the keyboard hides the button.",
        "Ben will move the button above the keyboard by Wednesday.",
        "We agreed that phones older than five years are no longer supported.",
        "That is written on the download page already.",
    ),
    (
        "The office move is planned for the second week of June.",
        "The landlord has sent the contract, and the rent is a little lower than we expected.",
        "Carla will ask the movers for two offers by the end of May.",
        "We decided to leave the old desks behind and to buy used ones.",
        "Who pays for the parking places in the new building?",
    ),
    (
        "The backup job ran out of space twice last month, always in the night from Sunday to Monday.",
        "Nobody was called, since the alarm goes to an address that no one reads.",
        "Ann will send the alarm to the people on duty by tomorrow.",
        "We agreed to keep daily backups for a month and monthly ones for a year.",
        "A restore was tried on Tuesday and took forty minutes.",
    ),
    (
        "Two people have applied for the job in the support team, and both made a good impression.",
        "The first could start in May, the second only after the summer.",
        "Carla will invite both of them to a second talk by Thursday.",
        "We decided to offer the job to one person now and to look again in autumn.",
        "How many hours a week should the new colleague work at least?",
    ),
)
"""Each window of sound is one of them, as far as its seconds carry."""
WORDS_PER_S: Final = 2.5
"""Speech runs at two to three words a second; text that runs faster would be withheld (domain/transcript_gates.py)."""
CHAT: Final = "This answer is scripted: no language model runs here."
LINE: Final = re.compile(r"^\*?(\d+) (?:[^:\n]+: )?(.+)$", re.MULTILINE)
ITEM: Final = re.compile(r"^(\d) \(\w+\)\n(.*?)(?=^\d \(|^Language:|\Z)", re.MULTILINE | re.DOTALL)
OWNER: Final = re.compile(r"^([A-Z]\w+) will ")
DUE: Final = re.compile(r" (by [\w ]+)\.$")


def identity(kind: CallKind) -> ModelIdentity:
    """Return what a scripted engine calls itself: `scripted/` and the kind, so that nobody takes its answers for a model's."""
    return ModelIdentity(f"scripted/{kind.value}", "1", "scripted", "none")


def answer(request: ModelRequest, dimensions: int) -> RawOutput:
    """Return what is said to a request of any kind. `dimensions` are those of vectors."""
    match request:
        case TranscribeRequest():
            return heard(request)
        case GenerateRequest():
            return written(request)
        case EmbedRequest():
            return placed(request, dimensions)
        case FindRequest():
            return found_by(read)(request)
        case EntailRequest():
            return judged_by()(request)
        case DiarizeRequest():
            return one_voice(request)


def heard(request: TranscribeRequest) -> RawOutput:
    """A scene of the meeting that the sound decides, a sentence a segment, at the pace of speech."""
    seconds = len(request.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
    scene = SCENES[hashlib.sha256(request.pcm).digest()[0] % len(SCENES)]
    segments, start = list[dict[str, Any]](), 0.0
    for sentence in scene:
        end = start + len(sentence.split()) / WORDS_PER_S
        if segments and end > seconds:
            break
        segments.append(_segment(sentence, start, min(end, seconds)))
        start = end
    segments[-1]["end"] = seconds
    language = request.parameters.get("language") or "en"
    payload = {"language": language, "language_probability": 1.0, "segments": segments}
    return RawOutput(payload, Usage(audio_seconds=seconds))


def _segment(text: str, start: float, end: float) -> dict[str, Any]:
    names = text.split()
    step = (end - start) / len(names)
    words = [
        {"start": start + index * step, "end": start + (index + 1) * step, "word": name, "probability": 1.0}
        for index, name in enumerate(names)
    ]
    scores = {"avg_logprob": -0.1, "no_speech_prob": 0.01, "compression_ratio": 1.0, "temperature": 0.0}
    return {"start": start, "end": end, "text": text, "words": words, **scores}


def read(line: Line) -> LineReading:
    """A decision where somebody says so, a task where somebody "will", a question where a line asks one."""
    text = line.text
    if text.startswith(("We decided", "So we decided", "We agreed")):
        return LineReading(0.95, 0.01, 0.01, 0.01)
    if owner := OWNER.search(text):
        due = DUE.search(text)
        return LineReading(
            0.01, 0.95, 0.01, 0.01,
            owner=span_of(owner[1], text), due=span_of(due[1], text) if due else None,
        )  # fmt: skip
    return LineReading(0.01, 0.01, 0.9, 0.01) if text.endswith("?") else NOTHING_FOUND


def written(request: GenerateRequest) -> RawOutput:
    """Lines of the prompt in the shape that it asks for; to any other prompt a fixed sentence, or an example of its schema."""
    asked, schema = request.messages[-1][1], request.schema
    if schema is None:
        text = CHAT
    elif "sentences" in _named(schema):
        text = json.dumps(_sentences(asked))
    elif "items" in _named(schema) and ITEM.search(asked):
        text = json.dumps({"items": [{"number": int(number), "text": _starred(lines)} for number, lines in ITEM.findall(asked)]})
    else:
        text = json.dumps(example_of(schema))
    read_words = sum(len(words.split()) for _, words in request.messages)
    return RawOutput({"text": text, "finish_reason": "stop"}, Usage(input_tokens=read_words, output_tokens=len(text.split())))


def _named(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    named: Mapping[str, Any] = schema.get("properties") or {}
    return named


def _sentences(asked: str) -> dict[str, Any]:
    cited = "notes" if "<notes>" in asked else "lines"
    lines = LINE.findall(asked)[: 3 if cited == "notes" else 2] or [("1", "Nothing was said in this part.")]
    sentences = [{"text": text[:230].ljust(20, "."), cited: [int(number)]} for number, text in lines]
    while cited == "notes" and len(sentences) < 2:
        sentences.append(sentences[0])
    return {"sentences": sentences, "title": " ".join(lines[0][1].split()[:5]).rstrip(".,")[:60].ljust(3, ".")}


def _starred(lines: str) -> str:
    starred = next((line for line in lines.splitlines() if line.startswith("*")), lines)
    return starred.lstrip("* ").partition(": ")[2][:200].ljust(8, ".")


def placed(request: EmbedRequest, dimensions: int) -> RawOutput:
    """Texts with words in common lie near to each other: each word has a place of its own, found by its hash."""
    tokens = sum(len(text.split()) for text in request.texts)
    return RawOutput({"vectors": [_bag(text, dimensions) for text in request.texts]}, Usage(input_tokens=tokens))


def _bag(text: str, dimensions: int) -> list[float]:
    values = [0.01] * dimensions
    for word in re.findall(r"\w+", text.lower()):
        values[int.from_bytes(hashlib.blake2s(word.encode()).digest()[:4], "big") % dimensions] += 1.0
    length = sum(value * value for value in values) ** 0.5
    return [value / length for value in values]


def one_voice(request: DiarizeRequest) -> RawOutput:
    """One speaker from beginning to end: a change of speakers would cut through the sentences of a scene."""
    seconds = len(request.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
    return stretches(Stretch(0.0, seconds, 0, (1.0, 0.0), seconds), seconds=seconds)
