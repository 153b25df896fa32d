"""A language model's opinion of the recaps, behind a test of the judge: labelled pairs that it has to tell apart first.

Its scores gate only while it passes that test (`gates_from` in `thresholds.toml`); else they are reported.
"""

import asyncio
import math
import tomllib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domain.errors import WordloopError
from domain.transcript import Segment
from evals.fingerprint import Depends
from evals.judge_model import JudgeServer, ragas_judge
from evals.recap_material import Meeting, bundled_meetings, meetings_of
from evals.recap_models import Models, served_models
from evals.recap_prose import summary_of
from evals.scoring import mean_of, scores
from evals.suite import Case, Report, Result, Tier, silent

DEPENDS: Final = Depends(
    models=("language_model", "embedder", "reader"),
    code=("application.recap", "evals.judge_model", "evals.recap_material", "evals.recap_models"),
)
PAIRS: Final = Path(__file__).with_name("data") / "judge_pairs.toml"
QUESTION: Final = "What was said in this meeting?"
AT_ONCE: Final = 4
"""Cases that are with the judge at any time."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What may be said of some turns, and what may not."""

    id: str
    turns: tuple[str, ...]
    good: str
    bad: str


def pairs(path: Path = PAIRS) -> list[Pair]:
    """Return the labelled pairs."""
    meetings = {meeting.id: meeting for meeting in bundled_meetings()}
    found = []
    for raw in tomllib.loads(path.read_text(encoding="utf-8"))["pair"]:
        first, last = raw["turns"]
        said = meetings[raw["meeting"]].segments[first : last + 1]
        found.append(Pair(f"pair/{raw['meeting']}/{first}-{last}/{raw['fault']}", _lines(said), raw["good"], raw["bad"]))
    return found


def run(
    tier: Tier = "fast",
    progress: Report = silent,
    models: Models | None = None,
    server: JudgeServer | None = None,
    meetings: Sequence[Meeting] | None = None,
) -> Result:
    """Let a judge tell labelled pairs apart, then score the recaps: faithfulness and summary score of ragas."""
    server = server or JudgeServer.of_environment()
    models = models or served_models()
    chosen = meetings or meetings_of(tier)
    summaries = [summary_of(models.recap(meeting.segments, meeting.language)) for meeting in chosen]
    cases = asyncio.run(_judged(server, list(zip(chosen, summaries, strict=True)), progress))
    statistics = {
        "agreement": mean_of("agrees"),
        "faithfulness": mean_of("faithfulness"),
        "summary_score": mean_of("summary_score"),
    }
    return {
        "scores": scores(statistics, cases),
        "findings": [],
        "cases": cases,
        "statistics": statistics,
        "outputs": ("summary", "good", "bad", "failed"),
    }


async def _judged(server: JudgeServer, recaps: Sequence[tuple[Meeting, str]], progress: Report) -> list[Case]:
    async with server.opened() as model:
        asked = _Judge(ragas_judge(model), server.model)
        own = bundled_meetings()
        work = [
            *(asked.tells_apart(pair) for pair in pairs()),
            *(asked.knows_the_summary(meeting, other) for meeting, other in zip(own, [*own[1:], own[0]], strict=True)),
            *(asked.opinion(meeting, summary) for meeting, summary in recaps),
        ]
        turn = asyncio.Semaphore(AT_ONCE)
        done = 0

        async def one(case: Awaitable[Case]) -> Case:
            nonlocal done
            async with turn:
                found = await case
            done += 1
            progress(found["id"], done, len(work))
            return found

        return list(await asyncio.gather(*map(one, work)))


class _Judge:
    """Cases by the metrics of ragas. What the judge can not answer is not a number, and fails the suite."""

    def __init__(self, judge: Any, name: str) -> None:
        from ragas.metrics.collections import Faithfulness, SummaryScore

        self._faithfulness = Faithfulness(llm=judge)
        self._summary_score = SummaryScore(llm=judge)
        self._tags = {"judge": name}

    async def tells_apart(self, pair: Pair) -> Case:
        good, why = await self._faithful(pair.turns, pair.good)
        bad, why_not = await self._faithful(pair.turns, pair.bad)
        return self._agreement(pair.id, good, bad, {"good": pair.good, "bad": pair.bad, "failed": why or why_not})

    async def knows_the_summary(self, meeting: Meeting, other: Meeting) -> Case:
        said = _lines(meeting.segments)
        good, why = await self._covered(said, meeting.summary)
        bad, why_not = await self._covered(said, other.summary)
        texts = {"good": meeting.summary, "bad": other.summary, "failed": why or why_not}
        return self._agreement(f"summary/{meeting.id}", good, bad, texts)

    async def opinion(self, meeting: Meeting, summary: str) -> Case:
        said = _lines(meeting.segments)
        faithful, why = await self._faithful(said, summary)
        covered, why_not = await self._covered(said, summary)
        return {
            "id": meeting.id,
            "scores": {"faithfulness": faithful, "summary_score": covered},
            "texts": {"summary": summary, "failed": why or why_not},
            "tags": self._tags,
        }

    def _agreement(self, name: str, good: float, bad: float, texts: dict[str, str]) -> Case:
        agrees = math.nan if math.isnan(good) or math.isnan(bad) else float(good > bad)
        return {"id": name, "scores": {"agrees": agrees, "good": good, "bad": bad}, "texts": texts, "tags": self._tags}

    async def _faithful(self, said: Sequence[str], summary: str) -> tuple[float, str]:
        return await _value(self._faithfulness.ascore(user_input=QUESTION, response=summary, retrieved_contexts=list(said)))

    async def _covered(self, said: Sequence[str], summary: str) -> tuple[float, str]:
        return await _value(self._summary_score.ascore(reference_contexts=list(said), response=summary))


async def _value(metric: Awaitable[Any]) -> tuple[float, str]:
    """Return a metric's value and no reason, or NaN and why there is none."""
    try:
        return float((await metric).value), ""
    except WordloopError as error:
        return math.nan, error.detail
    except (ValueError, ZeroDivisionError) as error:  # ragas: an empty summary; no question came of the text
        return math.nan, f"{type(error).__name__}: {error}"


def _lines(segments: Sequence[Segment]) -> tuple[str, ...]:
    return tuple(f"{segment.speaker}: {segment.text}" if segment.speaker else segment.text for segment in segments)
