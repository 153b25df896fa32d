"""Makes the entailment network from the committed meetings: `python -m training.make_entailment`.

Reads every statement of `training/statements.py` once through the trunk (what was read is kept under `--work`), trains the
networks on those of the `train` meetings, calibrates them on the `tune` meetings and prints how well each kind of false one is
told apart. The same data and trunk give the same file on one machine.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from adapters.item_reader.engine import ENTAILMENT
from adapters.item_reader.entailment import EntailmentHead
from adapters.item_reader.networks import Array
from adapters.item_reader.trunk import TokenizedLine, Trunk
from serve_app.engines.served_models import model_store
from serve_app.settings.models import ReaderSettings
from training.calibration import fitted
from training.entailment_network import ReadStatement, Schedule, train
from training.make_reader import say
from training.meetings import LabelledMeeting, Split, meetings
from training.reader_network import save
from training.statements import LabelledStatement, statements_of

SEEDS: Final = 3
CARRIED: Final = 0.5
"""Probability from which a statement is said to hold, in the figures that are printed."""


def main() -> None:
    """Read, train, calibrate, write, tell."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--work", type=Path, default=Path(".entailment"), help="folder for what the trunk read")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--only", choices=("tune", "confirm"), help="train nothing, tell the figures of a split")
    asked = arguments.parse_args()
    torch.set_num_threads(asked.threads)
    torch.use_deterministic_algorithms(mode=True)
    trunk = Trunk(model_store().ensure(ReaderSettings().model).path, asked.threads)
    asked.work.mkdir(parents=True, exist_ok=True)
    if asked.only is None:
        learnt = [each for meeting in meetings("train") for each in read_of(meeting, trunk, asked.work)]
        tuned = [each for meeting in meetings("tune") for each in read_of(meeting, trunk, asked.work)]
        networks = []
        for seed in range(SEEDS):
            networks.append(train(learnt, seed, Schedule()))
            say(f"network {seed + 1} of {SEEDS} is trained")
        plain = np.array([1.0, 0.0], np.float32)
        save(networks, plain, ENTAILMENT)
        save(networks, calibrated(EntailmentHead.load(ENTAILMENT), tuned), ENTAILMENT)
        say(f"written: {ENTAILMENT.name}, {ENTAILMENT.stat().st_size:,} bytes, from {len(learnt)} statements")
    split: Split = asked.only or "tune"
    judged = [each for meeting in meetings(split) for each in read_of(meeting, trunk, asked.work)]
    for line in told(EntailmentHead.load(ENTAILMENT), judged):
        say(line)


def read_of(meeting: LabelledMeeting, trunk: Trunk, work: Path) -> list[ReadStatement]:
    """Return the statements of a meeting as the trunk reads them; kept in `work` by the meeting's name."""
    kept = work / f"{meeting.id}.npz"
    statements = statements_of(meeting)
    premises = [trunk.tokenized(each.premise) for each in statements]
    sentences = trunk.tokenized([("", each.text) for each in statements])
    if not kept.exists():
        rows: dict[str, Any] = {}
        for index, (premise, sentence) in enumerate(trunk.pairs(list(zip(premises, sentences, strict=True)))):
            rows |= {f"p{index}": premise.astype(np.float16), f"s{index}": sentence.astype(np.float16)}
        temporary = kept.with_suffix(".new.npz")
        np.savez(temporary, **rows)
        temporary.replace(kept)
    with np.load(kept) as file:
        return [
            ReadStatement(statement, file[f"p{index}"], file[f"s{index}"], _wrong(statement, sentence))
            for index, (statement, sentence) in enumerate(zip(statements, sentences, strict=True))
        ]


def _wrong(statement: LabelledStatement, sentence: TokenizedLine) -> Array | None:
    """Which tokens of a statement are changed; None for one that is false as a whole, or by what is missing."""
    if not statement.changed and not statement.holds:
        return None
    spans = statement.changed
    inside = [any(first < end and last > start for start, end in spans) for first, last in sentence.offsets]
    return np.array(inside, np.float32)


def calibrated(head: EntailmentHead, tuned: Sequence[ReadStatement]) -> Array:
    """Fit slope and offset of the log-odds to how often a statement of the `tune` meetings holds."""
    return np.array(fitted([(_probability(head, each), each.statement.holds) for each in tuned]), np.float32)


def told(head: EntailmentHead, judged: Sequence[ReadStatement]) -> Iterator[str]:
    """Say for each kind, and for each language, how many are judged rightly at `CARRIED`."""
    found = [(each.statement, _probability(head, each)) for each in judged]
    yield f"{'kind':14}{'number':>8}{'right':>8}"
    groups: Mapping[str, list[tuple[LabelledStatement, float]]] = {
        **{kind: [row for row in found if row[0].kind == kind] for kind in sorted({row[0].kind for row in found})},
        **{code: [row for row in found if row[0].language == code] for code in sorted({row[0].language for row in found})},
        "all": found,
    }
    for name, rows in groups.items():
        right = [(probability >= CARRIED) == statement.holds for statement, probability in rows]
        yield f"{name:14}{len(rows):8}{sum(right) / len(right):8.3f}"
    yield f"area under the curve {_area(found):.3f}"


def _area(found: Sequence[tuple[LabelledStatement, float]]) -> float:
    """How probable it is that a true statement is judged higher than a false one."""
    held = np.array([probability for statement, probability in found if statement.holds])
    rest = np.sort([probability for statement, probability in found if not statement.holds])
    return float(np.searchsorted(rest, held).mean() / len(rest))


def _probability(head: EntailmentHead, each: ReadStatement) -> float:
    return head.probability(each.premise.astype(np.float32), each.sentence.astype(np.float32))


if __name__ == "__main__":
    main()
