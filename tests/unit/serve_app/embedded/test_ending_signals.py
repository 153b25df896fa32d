"""A signal ends the context, also one whose exception somebody swallowed, and never one that is being stopped already."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from serve_app.embedded.ending_signals import ENDING, interruptible, undisturbed

SOON_S = 0.05


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    assert {number: signal.getsignal(number) for number in ENDING} == before


def swallow_a_signal() -> None:
    """As a destructor, a callback of an extension or a bare `except` does."""
    with suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)


def test_a_signal_that_somebody_swallowed_comes_again() -> None:
    def run() -> None:
        with interruptible(SOON_S):
            swallow_a_signal()
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        run()


def test_one_that_came_under_a_handler_of_others_ends_the_context_once_the_signals_are_taken_back() -> None:
    def run() -> None:
        with interruptible(SOON_S) as keep_hold:
            signal.signal(signal.SIGTERM, lambda *_: None)
            os.kill(os.getpid(), signal.SIGTERM)
            keep_hold()
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        run()


def test_what_is_stopping_is_not_disturbed_by_it() -> None:
    stopped = False
    with suppress(KeyboardInterrupt), interruptible(SOON_S):
        try:
            swallow_a_signal()
            time.sleep(5)
        finally:
            with undisturbed():
                time.sleep(6 * SOON_S)
                stopped = True
    assert stopped


def test_what_is_stopping_lives_on_where_a_library_gives_the_signal_back_to_the_system() -> None:
    program = f"""
import ctypes, os, signal, time
from contextlib import suppress
from serve_app.embedded.ending_signals import interruptible, undisturbed
with suppress(KeyboardInterrupt), interruptible({SOON_S}):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    finally:
        with undisturbed():
            ctypes.CDLL(None).signal(signal.SIGTERM, 0)  # past Python, as Ray does when it shuts down
            time.sleep(6 * {SOON_S})
print("stopped", end="")
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "stopped"), ended.stderr


def test_a_context_without_signals_ends_quietly_and_gives_its_descriptors_back() -> None:
    open_before = os.listdir("/proc/self/fd")
    with interruptible(SOON_S):
        pass
    time.sleep(3 * SOON_S)
    assert os.listdir("/proc/self/fd") == open_before
