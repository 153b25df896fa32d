"""The language model in this process: vLLM's asynchronous engine, continuous batching, schema-guided decoding."""

import contextlib
import json
import logging
import os
import uuid
from dataclasses import dataclass
from typing import Any

from domain.call import ModelIdentity, Usage
from domain.canonical import Json
from domain.errors import ModelOverloaded, ModelRejected, ModelUnavailable
from ports.model_backend import CallMeta, GenerateRequest, RawOutput

OVERLOADED_RETRY_AFTER_S = 2.0
"""Seconds; about one bounded phrase at the speed of the smallest machine."""


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """How the engine is run. Nothing is left to vLLM's defaults that changes output or memory.

    `max_model_len`: tokens of prompt and answer together. `kv_cache_gib`: memory for the key-value cache on CPU.
    `block_size`: tokens per cache block; the CPU default of 128 keeps short shared prompts from ever hitting the prefix
    cache. `threads`: CPU threads, 0 leaves the choice to the platform (GPU).
    """

    max_model_len: int = 4096
    max_num_seqs: int = 8
    max_num_batched_tokens: int = 2048
    max_queued_requests: int = 64
    kv_cache_gib: int = 1
    block_size: int = 32
    dtype: str = "bfloat16"
    threads: int = 2
    enforce_eager: bool = True
    gpu_memory_utilization: float = 0.85
    tensor_parallel_size: int = 1
    seed: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """Variables that must stand before vllm is imported, here and in its child processes."""
        variables = {
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "WARNING"),
        }
        if self.threads:
            variables |= {
                "VLLM_CPU_KVCACHE_SPACE": str(self.kv_cache_gib),
                # "auto" pins by the host's topology and would put two replicas on the same cores.
                "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                "OMP_NUM_THREADS": str(self.threads),
            }
        return variables


class VllmEngine:
    """One warm vLLM engine. Construct it inside a running event loop; call `shutdown` when done with it."""

    def __init__(self, model_path: str, identity: ModelIdentity, settings: VllmSettings) -> None:
        os.environ.update(settings.environment)
        from transformers import AutoTokenizer
        from vllm.config import StructuredOutputsConfig
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self.identity = identity
        self._settings = settings
        self._tokenizer = AutoTokenizer.from_pretrained(model_path, local_files_only=True)
        options: dict[str, Any] = {"gpu_memory_utilization": settings.gpu_memory_utilization}
        if settings.threads:
            options = {}
        self._engine = AsyncLLM.from_engine_args(
            AsyncEngineArgs(
                model=model_path,
                tokenizer=model_path,
                max_model_len=settings.max_model_len,
                max_num_seqs=settings.max_num_seqs,
                max_num_batched_tokens=settings.max_num_batched_tokens,
                max_num_queued_reqs=settings.max_queued_requests,
                dtype=settings.dtype,
                seed=settings.seed,
                block_size=settings.block_size,
                enable_prefix_caching=True,
                enforce_eager=settings.enforce_eager,
                tensor_parallel_size=settings.tensor_parallel_size,
                # Spaces between JSON tokens cost decoding steps and say nothing.
                structured_outputs_config=StructuredOutputsConfig(backend="xgrammar", disable_any_whitespace=True),
                disable_log_stats=True,
                use_tqdm_on_load=False,
                **options,
            )
        )

    @property
    def context_tokens(self) -> int:
        """Tokens of prompt and answer together, as the engine serves them."""
        return int(self._engine.model_config.max_model_len)

    async def warm_up(self) -> None:
        """Make one short schema-guided answer, so that grammar, kernels and caches exist before the first request."""
        schema: dict[str, Json] = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
        parameters: dict[str, Json] = {"max_tokens": 16, "temperature": 0.0, "top_p": 1.0, "seed": 0}
        await self.generate(GenerateRequest((("user", 'Answer {"ok": true}'),), schema, parameters), CallMeta())

    async def generate(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        """Answer one request; cancelling the task aborts the generation inside the engine.

        Raises ModelRejected when the prompt does not fit the context, ModelOverloaded when the engine's queue is full,
        ModelUnavailable when the engine has died.
        """
        from vllm.exceptions import QueueOverflowError, VLLMValidationError
        from vllm.v1.engine.exceptions import EngineDeadError

        tokens = self._tokenize(request)
        room = self.context_tokens - len(tokens)
        if room < int(str(request.parameters["max_tokens"])):
            raise ModelRejected(f"prompt of {len(tokens)} tokens leaves {room} of {self.context_tokens} for the answer")
        request_id = f"{meta.key[:16]}-{uuid.uuid4().hex[:8]}"
        final = None
        try:
            async for output in self._engine.generate({"prompt_token_ids": tokens}, self._sampling(request), request_id):
                final = output
        except QueueOverflowError as error:
            raise ModelOverloaded("the language model's queue is full", OVERLOADED_RETRY_AFTER_S) from error
        except VLLMValidationError as error:
            # Such as a schema that can not be read; its text quotes the request.
            raise ModelRejected(f"the engine refused the request ({type(error).__name__})") from error
        except EngineDeadError as error:
            raise ModelUnavailable("the language model's engine has died", None) from error
        if final is None or not final.outputs:
            raise ModelUnavailable("the language model ended without an answer", None)
        choice = final.outputs[0]
        usage = Usage(
            input_tokens=len(tokens),
            output_tokens=len(choice.token_ids),
            cached_input_tokens=int(final.num_cached_tokens or 0),
        )
        return RawOutput({"text": choice.text, "finish_reason": choice.finish_reason or "error"}, usage)

    async def check_health(self) -> None:
        """Raise when the engine can no longer answer."""
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            await self._engine.check_health()
        except EngineDeadError as error:
            raise ModelUnavailable("the language model's engine has died", None) from error

    def shutdown(self) -> None:
        """End the engine and the processes it started."""
        # Its process takes longer to end than vLLM waits; the kill is no news to whoever asked for the end.
        logging.getLogger("vllm").setLevel(logging.ERROR)
        with contextlib.suppress(Exception):
            # Before the process goes, or the task that reads from it reports a dead engine.
            reader = self._engine.output_handler
            reader.get_loop().call_soon_threadsafe(reader.cancel)
        with contextlib.suppress(Exception):
            self._engine.shutdown()

    def _tokenize(self, request: GenerateRequest) -> list[int]:
        messages = [{"role": role, "content": words} for role, words in request.messages]
        encoded = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
        return list(encoded["input_ids"])

    def _sampling(self, request: GenerateRequest) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        guided = StructuredOutputsParams(json=json.dumps(request.schema)) if request.schema else None
        wanted = {name: request.parameters[name] for name in ("max_tokens", "temperature", "top_p", "seed")}
        wanted["stop"] = request.parameters.get("stop", [])
        return SamplingParams(**wanted, output_kind=RequestOutputKind.FINAL_ONLY, structured_outputs=guided)
