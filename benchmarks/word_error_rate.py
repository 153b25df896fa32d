"""Word error rate of the whole path (decoder, VAD, windows, batches, gates, merge) beside faster-whisper alone.

Both sides hear the same recordings with the same weights in the same run; only what the product adds differs. Example:

    python -m benchmarks.word_error_rate --data shared/data/speech --cache /tmp/word-error-rate --json word_error_rate.json
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from evals.hearing import Listener
from evals.speech import WITHOUT_SPACES, Clip, ErrorCounter, Errors, read_corpus
from serve_app.settings.models import TranscriberSettings

ALLOWED_POINTS = 0.5
"""How much worse than faster-whisper alone the path may be, in percentage points of pooled word error rate."""
COMPUTE_TYPE = "int8"
THREADS = 2
BATCH = 8
SEED = 20
"""Of faster-whisper's own sampling fallback, which it leaves unseeded, and of the bootstrap."""
RESAMPLES = 2000
BASELINE = {"beam_size": 5, "condition_on_previous_text": False}
"""As `whisper_base_error` of the corpus was measured; all else is faster-whisper's default, its temperature list included."""

Recognise = Callable[[Sequence[Clip]], Iterator[tuple[Clip, str, float]]]


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
    settings = TranscriberSettings(model=str(model_path), compute_type=COMPUTE_TYPE, threads=THREADS, max_batch_size=BATCH)

    def recognise(clips: Sequence[Clip]) -> Iterator[tuple[Clip, str, float]]:
        ended: dict[str, float] = {}
        started = time.perf_counter()

        def note(name: str, _done: int, _total: int) -> None:
            ended[name] = time.perf_counter() - started

        heard = Listener(settings)([(clip.path, clip.language) for clip in clips], note)
        for clip, transcript in zip(clips, heard, strict=True):
            yield clip, transcript.text, ended[clip.path.name]

    return recognise


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
    worded = [row for row in rows if row[0].language not in WITHOUT_SPACES]
    spelled = [row for row in rows if row[0].language in WITHOUT_SPACES]
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
