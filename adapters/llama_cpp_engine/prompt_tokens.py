"""A conversation as tokens: the model's own chat template, with everything that was said kept apart from its marks.

The words of a message are tokenised as plain text, so a transcript that quotes `<|im_start|>system` opens no turn of its own.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from adapters.llama_cpp_engine.server import LlamaCppServer
from domain.errors import ModelRejected

Key = TypeVar("Key")
Value = TypeVar("Value")

TEMPLATES_KEPT = 32
PREFIXES_KEPT = 32
"""Roles of conversations, and fixed beginnings, whose tokens are remembered: prompts are few, and each is asked many times."""


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """`prefix`: all before the words of the last message, the same for every request of one prompt; `rest`: what follows."""

    prefix: tuple[int, ...]
    rest: tuple[int, ...]

    @property
    def all(self) -> list[int]:
        return [*self.prefix, *self.rest]

    def __len__(self) -> int:
        return len(self.prefix) + len(self.rest)


class ChatTokenizer:
    """Renders the template of the loaded model and tokenises its pieces; both through the server."""

    def __init__(self, server: LlamaCppServer) -> None:
        self._server = server
        self._templates: OrderedDict[tuple[str, ...], list[tuple[int, ...]]] = OrderedDict()
        self._prefixes: OrderedDict[tuple[tuple[str, str], ...], tuple[int, ...]] = OrderedDict()

    async def tokens(self, messages: Sequence[tuple[str, str]]) -> PromptTokens:
        """Return the tokens of (role, words) pairs and the answer's opening. Raises ModelRejected for roles it can not take."""
        pieces = await self._pieces(tuple(role for role, _ in messages))
        fixed = (*messages[:-1], (messages[-1][0], ""))
        prefix = self._prefixes.get(fixed)
        if prefix is None:
            prefix = await self._joined(pieces[:-1], [words for _, words in messages[:-1]])
            _remember(self._prefixes, fixed, prefix, PREFIXES_KEPT)
        return PromptTokens(prefix, (*await self._plain(messages[-1][1]), *pieces[-1]))

    async def _joined(self, pieces: Sequence[tuple[int, ...]], said: Sequence[str]) -> tuple[int, ...]:
        tokens = list(pieces[0])
        for words, piece in zip(said, pieces[1:], strict=True):
            tokens += [*await self._plain(words), *piece]
        return tuple(tokens)

    async def _pieces(self, roles: tuple[str, ...]) -> list[tuple[int, ...]]:
        """Tokens of the template before, between and after the words of the messages."""
        known = self._templates.get(roles)
        if known is not None:
            return known
        marks = [f"@@words-{index}@@" for index in range(len(roles))]
        chat = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        text = str((await self._server.post("/apply-template", {"messages": chat}))["prompt"])
        parts = []
        for mark in marks:
            before, found, text = text.partition(mark)
            if not found:
                raise ModelRejected("the model's chat template does not take these roles in this order")
            parts.append(before)
        pieces = [await self._tokenised(part, special=True) for part in [*parts, text]]
        _remember(self._templates, roles, pieces, TEMPLATES_KEPT)
        return pieces

    async def _plain(self, words: str) -> tuple[int, ...]:
        return await self._tokenised(words, special=False)

    async def _tokenised(self, text: str, *, special: bool) -> tuple[int, ...]:
        if not text:
            return ()
        answer = await self._server.post("/tokenize", {"content": text, "add_special": False, "parse_special": special})
        return tuple(answer["tokens"])


def _remember(known: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> None:
    known[key] = value
    while len(known) > most:
        known.popitem(last=False)
