"""An entailment judge that judges every claim by one rule."""

from collections.abc import Callable, Sequence

from adapters.scripted.backend import SCRIPTED_MODEL
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance, Usage
from domain.canonical import sha256_of
from domain.entailment import Claim
from domain.finding import Line
from ports.entailment_judge import EntailmentJudge
from ports.model_backend import EntailRequest, ModelRequest, RawOutput

Rule = Callable[[Claim], float]


def all_holds(_claim: Claim) -> float:
    """The rule of one who believes everything."""
    return 1.0


class ScriptedEntailmentJudge(EntailmentJudge):
    """Judges every claim by `rule`, or fails with `failure`; keeps in `asked` what it was asked about, call by call."""

    def __init__(self, rule: Rule = all_holds, *, failure: Exception | None = None) -> None:
        self._rule = rule
        self._failure = failure
        self.asked: list[tuple[Claim, ...]] = []

    @property
    def identity(self) -> ModelIdentity:
        return SCRIPTED_MODEL

    async def judge(self, claims: Sequence[Claim], context: CallContext) -> Answer[tuple[float, ...]]:
        self.asked.append(tuple(claims))
        if self._failure is not None:
            raise self._failure
        asked = [[[[line.speaker or "", line.text] for line in claim.premise], claim.text] for claim in claims]
        spec = CallSpec(CallKind.ENTAIL, sha256_of(asked), self.identity, {})
        return Answer(tuple(self._rule(claim) for claim in claims), Provenance.of(spec))


def judged_by(rule: Rule = all_holds) -> Callable[[ModelRequest], RawOutput]:
    """Return what a `ScriptedBackend` says to every judging call, with ten tokens for each claim."""

    def answer(request: ModelRequest) -> RawOutput:
        assert isinstance(request, EntailRequest)
        claims = [Claim(tuple(Line(who or None, said) for who, said in premise), text) for premise, text in request.claims]
        return RawOutput({"probabilities": [rule(claim) for claim in claims]}, Usage(input_tokens=10 * len(claims)))

    return answer
