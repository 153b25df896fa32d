"""The engines of the language model side by side, each in a process of its own: ready time, speed, memory, agreement."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import psutil

import prompts
from adapters.ray_serve.measuring import measured_language_model
from domain.errors import WordloopError
from ports.model_backend import CallMeta, GenerateRequest, RawOutput
from serve_app.demo import RECORDING
from serve_app.engines.machine import this_machine
from serve_app.engines.replicas import build_language_model
from serve_app.engines.served_models import fit_to_machine, resolve_models
from serve_app.settings.models import LanguageModelSettings
from serve_app.settings.service import Settings

CALLS = 8
LINES = 6
"""Turns of one call: about 110 words, as a chapter of a recap has."""
ENGINES = ("llama-cpp", "vllm")
TIMEOUT_S = 3600.0

Figures = dict[str, Any]


def language_model_engines() -> Figures:
    """Ready time, tokens per second at one and eight streams, memory, and how alike the answers of the engines are."""
    made = {engine: _measured(engine) for engine in ENGINES}
    figures: Figures = {"instruction sets": this_machine().shown}
    for engine, found in made.items():
        figures |= {f"{engine}: {name}": value for name, value in found.items() if name != "texts"}
    texts = [found["texts"] for found in made.values() if "texts" in found]
    if len(texts) == len(ENGINES):
        figures["answers alike word for word"] = sum(one == other for one, other in zip(*texts, strict=True)) / CALLS
        figures["words in common (ROUGE-1 F)"] = _words_in_common(*texts)
    return figures


def _measured(engine: str) -> Figures:
    command = [sys.executable, "-m", __name__, engine]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 and lines else {"failed": done.stderr.strip()[-300:]}


def _requests() -> list[GenerateRequest]:
    """The recap's own prompt over eight stretches of the bundled meeting."""
    turns = json.loads(RECORDING.with_suffix(".json").read_text())["turns"]
    prompt = prompts.load("write_chapter")
    step = max(1, (len(turns) - LINES) // (CALLS - 1))
    made = []
    for number in range(CALLS):
        chosen = turns[number * step : number * step + LINES]
        lines = "\n".join(f"{index} {turn['speaker']}: {turn['text']}" for index, turn in enumerate(chosen, 1))
        rendered = prompt.render(lines=lines, language="English", focus=prompts.template("general").instructions["summary"])
        made.append(GenerateRequest(rendered.messages, rendered.schema, rendered.sampling.parameters()))
    return made


async def _figures(engine: str) -> Figures:
    begun = time.perf_counter()
    settings, choice = fit_to_machine(Settings(language_model=LanguageModelSettings.model_validate({"engine": engine})))
    assert choice is not None
    model = build_language_model(settings.language_model, resolve_models(settings).language_model)
    await model.warm_up()
    ready = time.perf_counter() - begun
    requests = _requests()
    alone_s, _ = await _answered(model, requests[:1])
    together_s, together = await _answered(model, requests)
    rate = await measured_language_model(model.generate)
    memory = _resident_bytes()
    model.shutdown()
    return {
        "weights": choice.model,
        "computed in": choice.dtype or "as stored",
        "ready, s": ready,
        "read, tokens/s": rate.input_per_s,
        "written alone, tokens/s": rate.output_per_s,
        "first call alone, s": alone_s,
        "eight calls at once, s": together_s,
        "eight calls: written, tokens/s": sum(output.usage.output_tokens for output in together) / together_s,
        "tokens read of eight calls": sum(output.usage.input_tokens for output in together),
        "of these found in the cache": sum(output.usage.cached_input_tokens for output in together),
        "resident, GB": memory / 1e9,
        "texts": [output.payload["text"] for output in together],
    }


async def _answered(model: Any, requests: Sequence[GenerateRequest]) -> tuple[float, list[RawOutput]]:
    begun = time.perf_counter()
    outputs = await asyncio.gather(
        *(model.generate(request, CallMeta(key=str(number))) for number, request in enumerate(requests))
    )
    return time.perf_counter() - begun, list(outputs)


def _resident_bytes() -> int:
    own = psutil.Process()
    return sum(int(process.memory_info().rss) for process in [own, *own.children(recursive=True)])


def _words_in_common(one: Sequence[str], other: Sequence[str]) -> float:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1"])
    return sum(float(scorer.score(a, b)["rouge1"].fmeasure) for a, b in zip(one, other, strict=True)) / len(one)


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(asyncio.run(_figures(sys.argv[1]))) + "\n")
    except (WordloopError, PackageNotFoundError) as error:
        sys.exit(f"{Path(__file__).stem}: {error}")
