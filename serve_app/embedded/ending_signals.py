"""SIGTERM, SIGINT and SIGHUP end a command like ctrl-c does, whatever the moment and whoever swallows the exception."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that ask the whole service to end."""
INSIST_S: Final = 2.0
"""Seconds after which a signal is sent again: an exception that was raised inside a callback or a destructor ends nothing."""


@contextmanager
def interruptible(insist_s: float = INSIST_S) -> Iterator[Callable[[], None]]:
    """Let SIGTERM, and SIGHUP of a terminal that closes, end the context like ctrl-c does, so that nothing stays behind.

    Gives a function that takes the signals back: Ray installs a handler of its own when it starts, under which the process dies
    before it has ended the others. A signal that is ignored, as under nohup, stays so. One that has not ended the context after
    `insist_s` is sent again until it has: it may have come while Ray's handlers were in place, or where Python can only print
    the exception that it raised.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN}
    handlers = dict.fromkeys(before, signal.default_int_handler)
    _take(handlers)
    try:
        with _insisting(frozenset(before), insist_s):
            yield partial(_take, handlers)
    finally:
        _take(before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let nobody hurry what takes care of itself: a second signal would leave behind what the first began to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        _take(before)


@contextmanager
def _insisting(numbers: frozenset[int], insist_s: float) -> Iterator[None]:
    """Hear of every signal, whose ever the handler is, and send it again while the context goes on."""
    heard, written = os.pipe()
    os.set_blocking(written, False)
    earlier = signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    over = threading.Event()
    insistent = threading.Thread(target=_insist, args=(heard, numbers, over, insist_s), daemon=True, name="ending-signals")
    insistent.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(earlier)
        os.close(written)  # ends a thread that still waits for its first signal
        insistent.join()
        os.close(heard)


def _insist(heard: int, numbers: frozenset[int], over: threading.Event, insist_s: float) -> None:
    """Wait for one of the signals; then send it to the process at intervals until the context is over.

    Not to one that is `undisturbed`: Ray, shutting down, gives SIGTERM back to the system, past Python, and the next one kills.
    """
    while received := os.read(heard, 1):
        if received[0] in numbers:
            while not over.wait(insist_s):
                if signal.getsignal(received[0]) is not signal.SIG_IGN:
                    with suppress(ProcessLookupError):
                        os.kill(os.getpid(), received[0])
            return


def _take(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
