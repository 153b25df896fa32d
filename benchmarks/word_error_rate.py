"""Word error rate of the whole path (decoder, VAD, windows, batches, gates, merge) beside faster-whisper alone.

Both sides hear the same recordings with the same weights in the same run; only what the product adds differs. Example:

    python -m benchmarks.word_error_rate --data shared/data/speech --cache /tmp/word-error-rate --json word_error_rate.json
"""

import argparse
import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from domain.call import CallContext, ModelIdentity
from domain.transcript import Segment
from ports.transcriber import TranscriptionOptions

ALLOWED_POINTS = 0.5
"""How much worse than faster-whisper alone the path may be, in percentage points of pooled word error rate."""
SCORED_BY_CHARACTER = ("ja", "zh", "ko")
"""Written without spaces: character error rate."""
COMPUTE_TYPE = "int8"
THREADS = 2
BATCH = 8
FILES_AT_ONCE = 4
SEED = 20
"""Of faster-whisper's own sampling fallback, which it leaves unseeded, and of the bootstrap."""
RESAMPLES = 2000
BASELINE = {"beam_size": 5, "condition_on_previous_text": False}
"""As `whisper_base_error` of the corpus was measured; all else is faster-whisper's default, its temperature list included."""

Recognise = Callable[[Sequence["Clip"]], Iterator[tuple["Clip", str, float]]]


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording with its reference text."""

    path: Path
    reference: str
    language: str
    condition: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Errors:
    """Edits and units (words, or characters) of one text against its reference."""

    edits: int
    units: int

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(self.edits + other.edits, self.units + other.units)

    @property
    def rate(self) -> float:
        return self.edits / self.units if self.units else 0.0


def read_corpus(folder: Path, limit: int | None) -> list[Clip]:
    """Return the clips that count, shortest first; with `limit`, every n-th of them in order of language and condition."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    clips = [
        Clip(folder / row["file"], row["reference"], row["language"], row["condition"], row["duration_s"])
        for row in rows
        if row.get("score_wer") is not False
    ]
    if limit is not None and limit < len(clips):
        ordered = sorted(clips, key=lambda clip: (clip.language, clip.condition, clip.path.name))
        clips = [ordered[i * len(ordered) // limit] for i in range(limit)]
    return sorted(clips, key=lambda clip: (clip.seconds, clip.path.name))


class ErrorCounter:
    """Counts errors after the usual normalisation: Whisper's own for English, its basic one for the rest."""

    def __init__(self) -> None:
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer

        self._english, self._basic = EnglishTextNormalizer(), BasicTextNormalizer()

    def __call__(self, clip: Clip, text: str) -> Errors:
        import jiwer

        normalise = self._english if clip.language == "en" else self._basic
        reference, hypothesis = normalise(clip.reference), normalise(text)
        if clip.language in SCORED_BY_CHARACTER:
            out = jiwer.process_characters(reference.replace(" ", ""), hypothesis.replace(" ", ""))
        else:
            out = jiwer.process_words(reference, hypothesis)
        return Errors(out.substitutions + out.deletions + out.insertions, out.substitutions + out.deletions + out.hits)


def faster_whisper_alone(model_path: Path) -> Recognise:
    """faster-whisper's own `transcribe` on the file, language given."""
    import ctranslate2
    from faster_whisper import WhisperModel

    model = WhisperModel(str(model_path), device="cpu", compute_type=COMPUTE_TYPE, cpu_threads=THREADS)
    ctranslate2.set_random_seed(SEED)

    def recognise(clips: Sequence[Clip]) -> Iterator[tuple[Clip, str, float]]:
        for clip in clips:
            started = time.perf_counter()
            segments, _ = model.transcribe(str(clip.path), language=clip.language, **BASELINE)
            yield clip, " ".join(segment.text.strip() for segment in segments), time.perf_counter() - started

    return recognise


def whole_path(model_path: Path) -> Recognise:
    """The product's own adapters and use case around one engine in this process."""
    from adapters.faster_whisper_engine import FasterWhisperEngine
    from adapters.pyav_decoder.decoder import PyAvDecoder
    from adapters.pyav_decoder.limits import DecodeLimits
    from adapters.silero_vad import SileroVad
    from application.transcribe_audio import TranscribeAudio
    from serve_app.engines import WhisperBatches
    from serve_app.in_process import in_process_transcriber

    identity = ModelIdentity(model_path.name, "benchmark", f"faster-whisper-{version('faster-whisper')}", COMPUTE_TYPE)
    engine = FasterWhisperEngine(model_path, "cpu", COMPUTE_TYPE, THREADS, identity)
    engine.warm_up()

    async def one(clip: Clip, transcribe: TranscribeAudio, decoder: PyAvDecoder, folder: str) -> tuple[Clip, str, float]:
        started = time.perf_counter()
        audio = await decoder.decode(clip.path, Path(folder) / f"{clip.path.name}.pcm", max_seconds=4 * 3600)
        options = TranscriptionOptions(language=clip.language)
        transcript = await transcribe(clip.path.name, audio, options, CallContext(), _nobody)
        return clip, transcript.text, time.perf_counter() - started

    async def together(clips: Sequence[Clip]) -> list[tuple[Clip, str, float]]:
        slots = asyncio.Semaphore(FILES_AT_ONCE)
        decoder = PyAvDecoder(DecodeLimits())
        with tempfile.TemporaryDirectory() as folder:
            transcribe = TranscribeAudio(in_process_transcriber(WhisperBatches(engine), identity, BATCH), SileroVad())

            async def bounded(clip: Clip) -> tuple[Clip, str, float]:
                async with slots:
                    return await one(clip, transcribe, decoder, folder)

            return await asyncio.gather(*(bounded(clip) for clip in clips))

    def recognise(clips: Sequence[Clip]) -> Iterator[tuple[Clip, str, float]]:
        yield from asyncio.run(together(clips))

    return recognise


async def _nobody(_done: int, _total: int, _fresh: Sequence[Segment]) -> None:
    return None


def texts_of(side: Callable[[], Recognise], clips: Sequence[Clip], cache: Path | None) -> dict[str, str]:
    """Return the text per file, from `cache` where it holds one; what is new is written there."""
    texts: dict[str, str] = {}
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        texts = {
            clip.path.name: json.loads(stored.read_text(encoding="utf-8"))["text"]
            for clip in clips
            if (stored := cache / f"{clip.path.name}.json").exists()
        }
    missing = [clip for clip in clips if clip.path.name not in texts]
    for clip, text, seconds in side()(missing) if missing else ():
        texts[clip.path.name] = text
        print(f"{clip.path.name}: {seconds:.1f} s", file=sys.stderr)
        if cache is not None:
            content = json.dumps({"text": text, "seconds": seconds}, ensure_ascii=False)
            (cache / f"{clip.path.name}.json").write_text(content, encoding="utf-8")
    return texts


def compare(clips: Sequence[Clip], alone: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, Any]:
    """Return pooled rates of both sides, by language and condition, and the files that moved."""
    count = ErrorCounter()
    rows = [(clip, count(clip, alone[clip.path.name]), count(clip, ours[clip.path.name])) for clip in clips]
    worded = [row for row in rows if row[0].language not in SCORED_BY_CHARACTER]
    spelled = [row for row in rows if row[0].language in SCORED_BY_CHARACTER]
    return {
        "word_error_rate": _pair(worded),
        "character_error_rate": _pair(spelled),
        "by_language": _grouped(rows, lambda clip: clip.language),
        "by_condition": _grouped(rows, lambda clip: clip.condition),
        "moved": [
            {"file": clip.path.name, "alone": asdict(before), "ours": asdict(after)}
            for clip, before, after in sorted(rows, key=lambda row: row[1].edits - row[2].edits)
            if before.edits != after.edits
        ],
    }


def _pair(rows: Sequence[tuple[Clip, Errors, Errors]]) -> dict[str, Any]:
    alone, ours = _pooled(row[1] for row in rows), _pooled(row[2] for row in rows)
    low, high = _interval(rows)
    return {
        "files": len(rows),
        "units": alone.units,
        "faster_whisper_alone": round(alone.rate, 5),
        "ours": round(ours.rate, 5),
        "difference_points": round(100 * (ours.rate - alone.rate), 3),
        "difference_points_95": [round(low, 3), round(high, 3)],
    }


def _pooled(errors: Iterable[Errors]) -> Errors:
    return sum(errors, Errors(0, 0))


def _interval(rows: Sequence[tuple[Clip, Errors, Errors]]) -> tuple[float, float]:
    """Return the 95% interval of the difference in points: paired bootstrap over files, percentiles."""
    if not rows:
        return 0.0, 0.0
    random = Random(SEED)
    differences = []
    for _ in range(RESAMPLES):
        sample = random.choices(rows, k=len(rows))
        differences.append(100 * (_pooled(row[2] for row in sample).rate - _pooled(row[1] for row in sample).rate))
    differences.sort()
    return differences[int(0.025 * RESAMPLES)], differences[int(0.975 * RESAMPLES)]


def _grouped(rows: Sequence[tuple[Clip, Errors, Errors]], key: Callable[[Clip], str]) -> dict[str, Any]:
    groups: dict[str, list[tuple[Clip, Errors, Errors]]] = defaultdict(list)
    for row in rows:
        groups[key(row[0])].append(row)
    return {name: _pair(groups[name]) for name in sorted(groups)}


def _show(report: Mapping[str, Any]) -> None:
    lines = [("all, words", report["word_error_rate"]), ("all, characters", report["character_error_rate"])]
    lines += [*report["by_language"].items(), *report["by_condition"].items()]
    print(f"{'':60} {'files':>5} {'units':>6} {'alone':>7} {'ours':>7} {'points':>7}")
    for name, row in lines:
        rates = f"{row['faster_whisper_alone']:7.4f} {row['ours']:7.4f} {row['difference_points']:+7.2f}"
        print(f"{name[:60]:60} {row['files']:5} {row['units']:6} {rates}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; 1 when the path is more than `ALLOWED_POINTS` worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.jsonl and the recordings")
    parser.add_argument("--model", type=Path, help="folder of a CTranslate2 Whisper model; default: whisper-base of the store")
    parser.add_argument("--limit", type=int, help="score a spread of N files only")
    parser.add_argument("--cache", type=Path, help="folder that keeps the texts of faster-whisper alone between runs")
    parser.add_argument("--json", type=Path, help="write the report there")
    options = parser.parse_args(arguments)
    clips = read_corpus(options.data, options.limit)
    model = options.model or _stored_model()
    settings = {**BASELINE, "compute_type": COMPUTE_TYPE, "faster_whisper": version("faster-whisper"), "model": model.name}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    alone = texts_of(lambda: faster_whisper_alone(model), clips, options.cache / digest if options.cache else None)
    ours = texts_of(lambda: whole_path(model), clips, None)
    report = compare(clips, alone, ours)
    _show(report)
    if options.json:
        content = {"settings": settings, **report, "texts": {"faster_whisper_alone": alone, "ours": ours}}
        options.json.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return int(report["word_error_rate"]["difference_points"] > ALLOWED_POINTS)


def _stored_model() -> Path:
    from adapters.model_store import ModelStore, default_cache_dir

    return ModelStore(default_cache_dir(dict(os.environ))).ensure("whisper-base").path


if __name__ == "__main__":
    sys.exit(main())
