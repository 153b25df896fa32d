"""The item reader: lines of a conversation to what each is evidence of, and sentences to whether their lines carry them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from adapters.item_reader.trunk import Spoken, States, Trunk
from domain.call import ModelIdentity, Usage
from domain.errors import ModelRejected, WordloopError
from ports.model_backend import EntailRequest, FindRequest, RawOutput

Request = FindRequest | EntailRequest
Result = RawOutput | WordloopError

WEIGHTS: Final = Path(__file__).with_name("weights")
HEAD: Final = WEIGHTS / "head.npz"
ENTAILMENT: Final = WEIGHTS / "entailment.npz"
MOST_TOKENS: Final = 8192
"""Tokens of one call: some thirteen seconds on two quiet cores, four times what a caller should ask for at a time."""
SAMPLE: Final = (
    ("Ann", "Then we move the launch to the 19th, as the crash on the login page is not repaired yet."),
    ("Bo", "Good. I'll tell the press team by Thursday, and Cleo sends them the new pictures."),
    ("Ann", "Do we know who pays for the second print run?"),
    ("", "Not yet, no."),
)
"""Lines of the usual length; three tokens in four are text."""


class LineHead(Protocol):
    """The trained part, as the engine sees it: `adapters.item_reader.head.Head`."""

    def read(
        self, lines: Sequence[Spoken], states: Sequence[States], offsets: Sequence[Sequence[tuple[int, int]]]
    ) -> list[dict[str, Any]]:
        """Return a row of the raw output for each line."""


class PairHead(Protocol):
    """The judge of entailment, as the engine sees it: `adapters.item_reader.entailment.EntailmentHead`."""

    def all(self, pairs: Sequence[tuple[States, States]]) -> list[float]:
        """Return the probability of each pair of premise and sentence."""


class ItemReaderEngine:
    """One warm reader: a trunk in int8, and two heads over what it reads."""

    def __init__(self, trunk: Trunk, head: LineHead, judge: PairHead, identity: ModelIdentity) -> None:
        self.identity = identity
        self._trunk = trunk
        self._head = head
        self._judge = judge

    def warm_up(self) -> None:
        """Read four lines, so that memory is allocated before the first request."""
        self.run([FindRequest(SAMPLE, {})])

    def sample(self) -> list[FindRequest]:
        """One stretch of conversation, long enough that the processor and not the call is measured."""
        return [FindRequest(SAMPLE * 8, {})]

    def run(self, batch: Sequence[Request]) -> list[Result]:
        """Answer the requests one after another; one that can not be served gets its error in its place.

        A line of more than 400 tokens is read up to there. Tokens that are read again as context are counted once.
        """
        return [self._judged(each) if isinstance(each, EntailRequest) else self._found(each) for each in batch]

    def _found(self, request: FindRequest) -> Result:
        lines = self._trunk.tokenized(request.lines)
        tokens = sum(len(line.tokens) for line in lines)
        if tokens > MOST_TOKENS:
            return ModelRejected(f"the lines have {tokens} tokens; the reader takes {MOST_TOKENS}")
        rows = self._head.read(request.lines, self._trunk.states(lines), [line.offsets for line in lines])
        return RawOutput({"lines": rows}, Usage(input_tokens=tokens))

    def _judged(self, request: EntailRequest) -> Result:
        premises = [self._trunk.tokenized(premise) for premise, _ in request.claims]
        sentences = self._trunk.tokenized([("", text) for _, text in request.claims])
        tokens = sum(len(line.tokens) for line in (*sentences, *(line for premise in premises for line in premise)))
        if tokens > MOST_TOKENS:
            return ModelRejected(f"the claims have {tokens} tokens; the reader takes {MOST_TOKENS}")
        pairs = self._trunk.pairs(list(zip(premises, sentences, strict=True)))
        return RawOutput({"probabilities": self._judge.all(pairs)}, Usage(input_tokens=tokens))


def revision_of(trunk: str) -> str:
    """Return what names this reader on a trunk of that revision: trained weights, scale of the trunk, and the trunk itself."""
    files = (HEAD.read_bytes(), ENTAILMENT.read_bytes(), (WEIGHTS / "trunk_scale.npy").read_bytes())
    return hashlib.sha256(b"".join(files) + trunk.encode()).hexdigest()[:12]
