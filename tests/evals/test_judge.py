"""The judge: a real server on the loopback that judges well, badly or not at all, through ragas and the production guard."""

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from evals import judge
from evals.judge_model import KEY, MODEL, URL, JudgeServer
from evals.recap_material import bundled_meetings
from evals.report import html
from evals.runner import Outcome, Where, judged, record, run
from evals.suite import Result
from evals.tables import show
from tests.evals.scripted_recaps import scripted_models

MEETINGS = bundled_meetings()[:1]
THRESHOLDS = "[judge]\nmin_faithfulness = 0.8\nmin_summary_score = 0.1\n[judge.gates_from]\nagreement = 0.9\n"
BAD = {pair.bad for pair in judge.pairs()}

Answer = Callable[[str, Any], Any]
"""The name of the form that is asked for, and the input -> the answer's object, or text that is none."""


class JudgeOnLoopback:
    """An OpenAI-compatible server. It reads the forms of ragas and fills them in by `answer`."""

    def __init__(self, answer: Answer) -> None:
        outer = self
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append(body)
                outer.keys.add(self.headers["authorization"])
                prompt = body["messages"][0]["content"]
                given, _ = json.JSONDecoder().raw_decode(prompt.rpartition("\ninput: ")[2])
                form = body["response_format"]["json_schema"]["schema"]["title"]
                said = answer(form, given)
                choice = {"message": {"content": said if isinstance(said, str) else json.dumps(said)}, "finish_reason": "stop"}
                content = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def fills_in(believes: Callable[[str], bool]) -> Answer:
    """A judge that takes a text for one statement, holds it for true when `believes(statement)`, and looks for long words."""

    def answer(form: str, given: Any) -> Any:
        if form == "StatementGeneratorOutput":
            return {"statements": [given["answer"]]}
        if form == "NLIStatementOutput":
            verdicts = [(each, int(believes(each))) for each in given["statements"]]
            return {"statements": [{"statement": each, "reason": "so", "verdict": verdict} for each, verdict in verdicts]}
        if form == "ExtractedKeyphrases":
            return {"keyphrases": sorted(set(re.findall(r"\w{7,}", given["text"])))}
        if form == "QuestionsGenerated":
            return {"questions": given["keyphrases"]}
        assert form == "AnswersGenerated"
        return {"answers": [str(int(phrase in given["summary"])) for phrase in given["questions"]]}

    return answer


def knows_the_labels(statement: str) -> bool:
    """As good as a judge can be on the pairs; anything else it believes."""
    return statement not in BAD


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where answers are kept from run to run."""
    monkeypatch.setenv("WORDLOOP_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[Answer], JudgeOnLoopback]]:
    started: list[JudgeOnLoopback] = []

    def start(answer: Answer) -> JudgeOnLoopback:
        started.append(JudgeOnLoopback(answer))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def where(folder: Path) -> Where:
    (folder / "thresholds.toml").write_text(THRESHOLDS)
    return Where(folder / "thresholds.toml", folder / "baselines")


def opinions(server: JudgeOnLoopback, key: str | None = None) -> Result:
    return judge.run(models=scripted_models(), server=JudgeServer(server.url, "judge-1", key), meetings=MEETINGS)


def gate(result: Result, where: Where) -> Outcome:
    return judged("judge", "fast", result, {}, where)


def texts_of(result: Result, name: str) -> set[str]:
    return {case["texts"][name] for case in result["cases"]}


def test_the_labelled_pairs_are_whole() -> None:
    pairs = judge.pairs()
    assert len(pairs) >= 30
    assert len({pair.id for pair in pairs}) == len(pairs)
    assert all(pair.turns and pair.good != pair.bad for pair in pairs)


def test_a_judge_that_knows_good_from_bad_gates(start: Callable[[Answer], JudgeOnLoopback], where: Where) -> None:
    server = start(fills_in(knows_the_labels))

    result = opinions(server, key="sk-canary-5b1e")

    assert result["scores"]["agreement"] == result["scores"]["faithfulness"] == 1.0
    assert 0 < result["scores"]["summary_score"] < 1
    outcome = gate(result, where)
    assert (outcome.only_reports, outcome.failures) == ("", [])
    assert server.keys == {"Bearer sk-canary-5b1e"}
    assert "canary" not in json.dumps(result)
    first = server.asked[0]
    assert (first["temperature"], first["model"], first["response_format"]["json_schema"]["strict"]) == (0.0, "judge-1", False)


def test_what_a_trusted_judge_holds_for_made_up_turns_the_gate_red(
    start: Callable[[Answer], JudgeOnLoopback], where: Where
) -> None:
    good = {pair.good for pair in judge.pairs()}
    outcome = gate(opinions(start(fills_in(lambda statement: statement in good))), where)
    assert "faithfulness is 0, at least 0.8 is asked for" in outcome.failures


@pytest.mark.parametrize("believes", [True, False])
def test_a_judge_that_can_not_tell_them_apart_only_reports(
    start: Callable[[Answer], JudgeOnLoopback], where: Where, believes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = gate(opinions(start(fills_in(lambda _: believes))), where)
    assert re.fullmatch(r"agreement is 0\.\d+, it gates from 0.9", outcome.only_reports)
    assert outcome.failures == []
    show(outcome)
    assert "judge: only reports, no limit counts: agreement is 0." in capsys.readouterr().err
    assert "Only reports" in html(list(record([outcome])["suites"].values()))


@pytest.mark.parametrize(
    ("form", "said", "reason"),
    [
        ("StatementGeneratorOutput", {"statements": []}, ""),
        ("NLIStatementOutput", "Sure! All of it is true.", "JSON"),
        ("NLIStatementOutput", {"statements": [{"statement": "It is.", "reason": "so"}]}, "schema"),
        ("QuestionsGenerated", {"questions": []}, "ZeroDivisionError"),
    ],
)
def test_a_score_that_the_judge_did_not_give_fails_even_where_it_only_reports(
    start: Callable[[Answer], JudgeOnLoopback], where: Where, form: str, said: Any, reason: str
) -> None:
    proper = fills_in(knows_the_labels)
    result = opinions(start(lambda asked, given: said if asked == form else proper(asked, given)))
    outcome = gate(result, where)
    assert any(failure.endswith("is not a number") for failure in outcome.failures)
    assert outcome.unacceptable
    assert any(reason in each for each in texts_of(result, "failed"))


def test_no_opinion_is_paid_for_twice(start: Callable[[Answer], JudgeOnLoopback]) -> None:
    server = start(fills_in(knows_the_labels))
    first = opinions(server)
    asked = len(server.asked)

    assert opinions(server) == first
    assert len(server.asked) == asked > 0


def test_without_a_judge_the_suite_is_left_out_among_others_and_fails_by_name(
    where: Where, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (URL, MODEL, KEY):
        monkeypatch.delenv(name, raising=False)
    points = {name: EntryPoint(name, value, "wordloop.evals") for name, value in SUITES.items()}

    assert run({"judge": points["judge"]}, tier="fast", where=where) == 1
    assert f"judge: not run: set {URL}" in capsys.readouterr().err.replace("\n", " ")
    assert run(points, tier="fast", where=where) == 0


SUITES = {"judge": "evals.judge:run", "scripted": "tests.evals.scripted_suite:stands"}
