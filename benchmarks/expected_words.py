"""Words to expect: how many names are written rightly without them, with them, and with names beside them that nobody says.

`with more` asks for the names of a recording among as many as `--others` of other recordings: what a tenant's list is like.
`others only` asks for names of which none is said. Nothing was tuned on these recordings. Example:

    python -m benchmarks.expected_words --data ../shared/data
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from evals.hearing import Listener
from evals.speech import Clip, ErrorCounter, Errors, read_corpus
from evals.suite import silent
from ports.transcriber import TranscriptionOptions

SIDES: Final = ("without", "with", "with more", "others only")
LONGEST_S: Final = 60.0
NAMES: Final = (
    "Allen", "Bieber", "Byron", "Carpanedo", "Catherine", "Christoffel", "Columbia", "Dashwood", "Fichte", "Firefox",
    "Fisichella", "Giancarlo", "Goethe", "Grimmelshausen", "Hongkong", "Houston", "Jakob", "Katie", "Kowloon", "Mashhad", "Mekka",
    "Microsoft", "Philip", "Quilter", "Schlegel", "Simplicissimus", "Sintra", "Steels", "Steve", "Tilney", "USOC",
    "Wentworth", "Whittemore",
)  # fmt: skip
"""Those in the references, most of which are written without capitals."""
MOST_CHARACTERS: Final = 1024
"""Of the field that brings them."""


def names_of(clip: Clip) -> list[str]:
    """Return the names in a reference."""
    words = set(re.findall(r"\w+", clip.reference.lower()))
    return [name for name in NAMES if name.lower() in words]


def measure(clips: Sequence[Clip], others: int, only: Sequence[str] = SIDES) -> dict[str, Any]:
    """Return recall of names, names written that nobody said, and word error rate, by what was asked for."""
    pool = sorted({name for clip in clips for name in names_of(clip)})
    sides: dict[str, list[Sequence[str]]] = {
        "without": [() for _ in clips],
        "with": [names_of(clip) for clip in clips],
        "with more": [_among(names_of(clip), pool, others, index) for index, clip in enumerate(clips)],
        "others only": [
            _among((), [n for n in pool if n not in names_of(clip)], others, index) for index, clip in enumerate(clips)
        ],
    }
    return {name: _scored(clips, expected) for name, expected in sides.items() if name in only}


def _among(mine: Sequence[str], pool: Sequence[str], others: int, index: int) -> list[str]:
    """Names in an order that does not say whose they are."""
    step = max(1, len(pool) // max(1, others))
    return sorted({*mine, *pool[index % step :: step][:others]})


def _scored(clips: Sequence[Clip], expected: Sequence[Sequence[str]]) -> dict[str, Any]:
    count = ErrorCounter()
    said = found = invented = 0
    errors = Errors(0, 0)
    for (clip, words), text in zip(zip(clips, expected, strict=True), _heard(clips, expected), strict=True):
        heard = _plain(count, clip, [text])
        names = [_plain(count, clip, [name]) for name in names_of(clip)]
        said += len(names)
        found += sum(name <= heard for name in names)
        foreign = _plain(count, clip, words) - _plain(count, clip, [clip.reference])
        invented += len(foreign & heard)
        errors += count.words(clip, text)
    return {
        "names": said,
        "recall": round(found / said, 4) if said else None,
        "names written that nobody said": invented,
        "word error rate": round(errors.rate, 4),
    }


def _plain(count: ErrorCounter, clip: Clip, texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in count.normalised(clip.language, text).split()}


def _heard(clips: Sequence[Clip], expected: Sequence[Sequence[str]]) -> list[str]:
    """One engine, recordings one after another with their own words to expect."""
    from serve_app.engines.replicas import build_transcriber
    from serve_app.engines.served_models import local_identity, model_store
    from serve_app.settings.models import TranscriberSettings

    settings = TranscriberSettings()
    identity = local_identity(model_store().ensure(settings.model), "faster-whisper", settings.compute_type)
    engine = build_transcriber(settings, identity)
    texts = []
    for clip, words in zip(clips, expected, strict=True):
        options = TranscriptionOptions(prompt=", ".join(words)[:MOST_CHARACTERS] or None)
        listener = Listener(settings, options, build=lambda *_named: engine)
        texts.append(listener([(clip.path, clip.language)], silent)[0].text)
    return texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the evaluation data")
    parser.add_argument("--others", type=int, default=20, help="names of other recordings that are asked for too")
    parser.add_argument("--side", choices=SIDES, action="append", help="only this; may be given again")
    options = parser.parse_args(arguments)
    named = [clip for clip in read_corpus(options.data / "speech") if clip.seconds <= LONGEST_S and names_of(clip)]
    figures = measure(named, options.others, options.side or SIDES)
    print(json.dumps({"recordings": len(named), "seconds": round(sum(c.seconds for c in named)), **figures}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
