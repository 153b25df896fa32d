"""What telling speakers apart takes, before anybody has listened."""

from application.diarise.find_speakers import DiarizationSettings, planned
from application.pricing import Judged
from domain.call import Usage


def estimated_windows(seconds: float, settings: DiarizationSettings) -> Judged:
    """The windows of so many seconds of sound, and the sound in them: most of it is heard twice."""
    windows = planned(seconds, settings)
    return Judged(len(windows), Usage(audio_seconds=sum(window.seconds for window in windows)))
