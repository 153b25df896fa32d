"""A recording becomes a transcript: windows, languages, gates, sentences, coverage."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from adapters.silero_vad import SILERO_SCALE
from application.payloads import AudioPayload
from application.transcribe_audio import TranscribeAudio, TranscriptionSettings
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, DecodedAudio, SpeechWindow
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance
from domain.errors import InvalidModelOutput, ModelUnavailable
from domain.speech import DetectorScale
from domain.transcript import RecognisedWindow, Segment, SegmentScores, SuspectSpan, Word
from domain.transcript_gates import UNMEASURED_SCORES, ScoreScale
from ports.speech_detector import SpeechDetector
from ports.transcriber import Transcriber, TranscriptionOptions
from tests.scores import WHISPER_SCORES

FRAME = 0.032
GOOD = SegmentScores(avg_logprob=-0.2, no_speech_prob=0.01, compression_ratio=1.2)
LOOPING = SegmentScores(avg_logprob=-0.1, no_speech_prob=0.01, compression_ratio=9.0)
DOUBTFUL = SegmentScores(avg_logprob=-0.8, no_speech_prob=0.2, compression_ratio=0.8)
IMPROBABLE = SegmentScores(avg_logprob=-1.2, no_speech_prob=0.2, compression_ratio=0.8)
SILENT = SegmentScores(avg_logprob=-1.4, no_speech_prob=0.9, compression_ratio=0.8)

Script = Callable[[SpeechWindow, TranscriptionOptions], RecognisedWindow]


@dataclass
class ScriptedTranscriber(Transcriber):
    """Answers by the script and keeps what it was asked."""

    script: Script
    asked: list[tuple[SpeechWindow, TranscriptionOptions]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    finished: int = 0
    scale: ScoreScale = WHISPER_SCORES
    held: Callable[["ScriptedTranscriber", SpeechWindow], bool] = lambda _transcriber, _window: False

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("scripted", "1", "none", "none")

    @property
    def scores(self) -> ScoreScale:
        return self.scale

    async def transcribe(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Answer[RecognisedWindow]:
        self.asked.append((window, options))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            while self.held(self, window):
                await asyncio.sleep(0)
            self.finished += 1
            spec = CallSpec(CallKind.TRANSCRIBE, window.sha256, self.identity, options.parameters())
            return Answer(self.script(window, options), Provenance.of(spec))
        finally:
            self.in_flight -= 1


@dataclass(frozen=True)
class ScriptedDetector(SpeechDetector):
    speech: Sequence[float]

    @property
    def frame_seconds(self) -> float:
        return FRAME

    @property
    def scale(self) -> DetectorScale:
        return SILERO_SCALE

    async def probabilities(self, pcm: Path) -> Sequence[float]:
        return self.speech


@dataclass
class Listener:
    told: list[tuple[int, int, list[int]]] = field(default_factory=list)

    async def __call__(self, done: int, total: int, fresh: Sequence[Segment]) -> None:
        self.told.append((done, total, [segment.id for segment in fresh]))


def recording(folder: Path, *parts: tuple[float, float]) -> tuple[DecodedAudio, ScriptedDetector]:
    """Write sound whose every sample is its own second, with speech where the (probability, seconds) parts say so."""
    probabilities = [probability for probability, seconds in parts for _ in range(round(seconds / FRAME))]
    seconds = len(probabilities) * FRAME
    path = folder / "sound.pcm"
    samples = round(seconds * SAMPLE_RATE)
    path.write_bytes(b"".join((i // SAMPLE_RATE).to_bytes(BYTES_PER_SAMPLE, "little") for i in range(samples)))
    return DecodedAudio(str(path), seconds, "wav", "pcm_s16le", 1, SAMPLE_RATE), ScriptedDetector(probabilities)


def says(text: str, language: str = "en", probability: float = 1.0, scores: SegmentScores = GOOD) -> Script:
    def script(window: SpeechWindow, options: TranscriptionOptions) -> RecognisedWindow:
        start = window.speech[0].start - window.start
        end = window.speech[-1].end - window.start
        return RecognisedWindow(options.language or language, probability, (spoken(text, start, end, scores),))

    return script


def spoken(text: str, start: float, end: float, scores: SegmentScores = GOOD) -> Segment:
    """Return a segment whose words share its time evenly."""
    words = text.split()
    each = (end - start) / len(words)
    timed = tuple(Word(start + i * each, start + (i + 1) * each, word, 0.9) for i, word in enumerate(words))
    return Segment(0, start, end, text, scores, timed)


async def nobody(_done: int, _total: int, _fresh: Sequence[Segment]) -> None:
    return None


ENGLISH = TranscriptionOptions(language="en")
CONTEXT = CallContext()
THREE_WINDOWS = ((0.9, 5), (0.0, 20), (0.9, 5), (0.0, 20), (0.9, 5))


async def test_windows_carry_the_sound_of_their_own_time(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)
    transcriber = ScriptedTranscriber(says("hello"))

    await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)

    for window, _ in transcriber.asked:
        first = int.from_bytes(window.pcm[:2], "little")
        assert first == int(window.start)
        assert window.seconds == pytest.approx(window.end - window.start, abs=0.001)


async def test_segments_are_placed_in_time_and_numbered_through_the_recording(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)
    transcriber = ScriptedTranscriber(says("hello there"))

    transcript = await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert [segment.id for segment in transcript.segments] == [0, 1, 2]
    assert [round(segment.start) for segment in transcript.segments] == [0, 25, 50]
    assert [round(segment.words[0].start) for segment in transcript.segments] == [0, 25, 50]
    assert transcript.coverage.ratio == pytest.approx(1.0)
    assert len(transcript.provenance) == 3


async def test_progress_is_told_per_window_and_segments_in_order_of_time(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)
    transcriber = ScriptedTranscriber(says("hello"), held=lambda asked, window: window.index == 0 and asked.finished < 2)
    listener = Listener()

    await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, listener)

    assert listener.told == [(1, 3, []), (2, 3, []), (3, 3, [0, 1, 2])]


async def test_no_more_windows_are_in_flight_than_allowed(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *((0.9, 2), (0.0, 8)) * 12)
    transcriber = ScriptedTranscriber(says("hello"), held=lambda asked, _window: asked.most_in_flight < 2)

    await TranscribeAudio(transcriber, detector, TranscriptionSettings(concurrent_windows=2))(
        "t", audio, ENGLISH, CONTEXT, nobody
    )

    assert len(transcriber.asked) == 12
    assert transcriber.most_in_flight == 2


async def test_a_window_that_fails_for_good_fails_the_transcript_with_its_own_error(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)

    def script(window: SpeechWindow, options: TranscriptionOptions) -> RecognisedWindow:
        if window.index == 1:
            raise ModelUnavailable("the replica died", 5.0)
        return says("hello")(window, options)

    transcriber = ScriptedTranscriber(script, held=lambda _asked, window: window.index != 1)

    with pytest.raises(ModelUnavailable, match="the replica died"):
        await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)
    assert transcriber.in_flight == 0


async def test_a_window_with_refused_output_is_left_out_and_named(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)

    def script(window: SpeechWindow, options: TranscriptionOptions) -> RecognisedWindow:
        if window.index == 1:
            raise InvalidModelOutput("segment 0: the text loops")
        return says("hello")(window, options)

    transcript = await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert [segment.text for segment in transcript.segments] == ["hello", "hello"]
    assert [span.reason for span in transcript.coverage.suspects] == ["invalid_model_output"]
    assert transcript.coverage.ratio < 1


async def test_a_recording_whose_every_window_is_refused_fails(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)

    def script(_window: SpeechWindow, _options: TranscriptionOptions) -> RecognisedWindow:
        raise InvalidModelOutput("segment 0: the text loops")

    with pytest.raises(InvalidModelOutput, match="any window"):
        await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)


async def test_cancelling_the_transcript_cancels_the_windows_in_flight(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)
    started = asyncio.Event()

    def held(_asked: ScriptedTranscriber, _window: SpeechWindow) -> bool:
        started.set()
        return True

    transcriber = ScriptedTranscriber(says("hello"), held=held)
    task = asyncio.create_task(TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody))
    await started.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert transcriber.in_flight == 0


async def test_a_recording_without_speech_has_an_empty_transcript_and_no_call(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.1, 90))
    transcriber = ScriptedTranscriber(says("You"))

    transcript = await TranscribeAudio(transcriber, detector)("t", audio, TranscriptionOptions(), CONTEXT, nobody)

    assert (transcript.segments, transcriber.asked, transcript.language) == ((), [], "und")
    assert transcript.coverage.ratio == 1.0


@pytest.mark.parametrize(("scores", "seconds", "reason"), [(LOOPING, 5, "repetition"), (SILENT, 1.7, "no_speech")])
async def test_text_that_can_not_have_been_said_is_withheld_and_listed(
    tmp_path: Path, scores: SegmentScores, seconds: float, reason: str
) -> None:
    audio, detector = recording(tmp_path, (0.9, seconds))

    transcript = await TranscribeAudio(ScriptedTranscriber(says("so so so", scores=scores)), detector)(
        "t", audio, ENGLISH, CONTEXT, nobody
    )

    assert transcript.segments == ()
    assert [suspect.reason for suspect in transcript.coverage.suspects] == [reason]
    assert transcript.coverage.ratio == 0.0


@pytest.mark.parametrize(("scale", "kept"), [(WHISPER_SCORES, False), (replace(WHISPER_SCORES, silent=0.95), True)])
async def test_what_a_score_means_comes_with_the_recogniser(tmp_path: Path, scale: ScoreScale, kept: bool) -> None:
    audio, detector = recording(tmp_path, (0.9, 1.7))
    transcriber = ScriptedTranscriber(says("so so so", scores=SILENT), scale=scale)
    transcript = await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)
    assert bool(transcript.segments) is kept


async def test_scores_that_nobody_measured_decide_nothing(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.9, 1.7))
    for scores in (SILENT, IMPROBABLE, GOOD, None):
        transcriber = ScriptedTranscriber(says("so so so", scores=scores), scale=UNMEASURED_SCORES)
        transcript = await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)
        assert transcript.text == "so so so"


async def test_seconds_of_speech_that_the_recogniser_takes_for_silence_keep_their_text_and_are_named(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.9, 5))

    transcript = await TranscribeAudio(ScriptedTranscriber(says("all at once", scores=SILENT)), detector)(
        "t", audio, ENGLISH, CONTEXT, nobody
    )

    assert transcript.text == "all at once"
    assert [suspect.reason for suspect in transcript.coverage.suspects] == ["doubtful"]
    assert transcript.coverage.ratio == pytest.approx(1.0)


async def test_speech_without_text_is_listened_to_again_in_a_shorter_window(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.9, 10), (0.0, 3), (0.9, 5), (0.0, 2))

    def script(window: SpeechWindow, options: TranscriptionOptions) -> RecognisedWindow:
        if options.assume_speech:
            return says("and the second")(window, options)
        return RecognisedWindow("en", 1.0, (spoken("the first part", 0, 10),), (SuspectSpan(13, 20, "no_speech"),))

    transcriber = ScriptedTranscriber(script)
    transcript = await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert transcript.text == "the first part and the second"
    assert [(round(window.start, 1), round(window.end, 1)) for window, _ in transcriber.asked] == [(0, 20), (12.2, 18.8)]
    assert (transcript.coverage.suspects, transcript.coverage.ratio) == ((), pytest.approx(1.0))


async def test_the_silence_after_the_last_word_is_not_missing(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.9, 4), (0.0, 3))

    def script(_window: SpeechWindow, _options: TranscriptionOptions) -> RecognisedWindow:
        return RecognisedWindow("en", 1.0, (spoken("all of it", 0, 3.9),), (SuspectSpan(3.9, 7, "no_speech"),))

    transcript = await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert transcript.coverage.suspects == ()


async def test_the_recognisers_own_reason_for_no_text_is_listed(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.9, 4), (0.0, 1))

    def script(_window: SpeechWindow, _options: TranscriptionOptions) -> RecognisedWindow:
        return RecognisedWindow("en", 1.0, (), (SuspectSpan(0, 4, "impossible_rate"),))

    transcript = await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert [suspect.reason for suspect in transcript.coverage.suspects] == ["impossible_rate"]
    assert transcript.coverage.ratio == 0.0


LIKELY_WORD = SegmentScores(avg_logprob=-0.9, no_speech_prob=0.4, compression_ratio=0.5)
SURE_WORD = SegmentScores(avg_logprob=-0.4, no_speech_prob=0.4, compression_ratio=0.5)
SURE_SILENCE = SegmentScores(avg_logprob=-0.4, no_speech_prob=0.55, compression_ratio=0.5)


@pytest.mark.parametrize(
    ("peak", "scores", "text"),
    [
        (0.7, LIKELY_WORD, "six"),
        (0.7, IMPROBABLE, ""),
        (0.7, SURE_SILENCE, ""),
        (0.4, LIKELY_WORD, ""),
        (0.4, SURE_WORD, "six"),
    ],
)
async def test_a_single_word_that_the_detector_takes_for_a_click_stands_when_it_is_likely_enough(
    tmp_path: Path, peak: float, scores: SegmentScores, text: str
) -> None:
    audio, detector = recording(tmp_path, (0.0, 1), (peak, 0.128), (0.0, 1))

    def script(_window: SpeechWindow, _options: TranscriptionOptions) -> RecognisedWindow:
        return RecognisedWindow("en", 0.6, (spoken("six", 1.0, 1.3, scores),))

    transcriber = ScriptedTranscriber(script)
    transcript = await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert transcript.text == text
    assert len(transcriber.asked) == 1, "the rest of such a recording is not listened to again"
    assert [suspect.reason for suspect in transcript.coverage.suspects] == ([] if text else ["improbable"])
    assert transcript.coverage.speech_seconds == pytest.approx(0.128 if text else 0.0)


async def test_where_neither_detector_nor_recogniser_hears_anybody_nothing_is_suspect(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.0, 1), (0.4, 0.064), (0.0, 1))

    def script(_window: SpeechWindow, _options: TranscriptionOptions) -> RecognisedWindow:
        return RecognisedWindow("en", 0.6, (), (SuspectSpan(0.0, 2.0, "no_speech"),))

    transcript = await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert (transcript.segments, transcript.coverage.suspects, transcript.coverage.ratio) == ((), (), 1.0)


@pytest.mark.parametrize(("peak", "seconds"), [(0.25, 2), (0.7, 40)])
async def test_neither_steady_noise_nor_a_click_in_a_long_recording_costs_a_call(
    tmp_path: Path, peak: float, seconds: float
) -> None:
    audio, detector = recording(tmp_path, (0.0, seconds), (peak, 0.128))
    transcriber = ScriptedTranscriber(says("six"))

    transcript = await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert (transcriber.asked, transcript.segments) == ([], ())


async def test_doubtful_text_far_from_any_speech_is_withheld(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.0, 10), (0.9, 2), (0.0, 10))

    def script(_window: SpeechWindow, _options: TranscriptionOptions) -> RecognisedWindow:
        return RecognisedWindow("en", 1.0, (spoken("Music", 2, 4, DOUBTFUL), spoken("hello there", 10, 12)))

    transcript = await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert transcript.text == "hello there"
    assert [(suspect.start, suspect.reason) for suspect in transcript.coverage.suspects] == [(2, "outside_speech")]


async def test_text_that_the_recogniser_is_sure_of_stands_where_the_detector_heard_nothing(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.0, 10), (0.9, 2), (0.0, 10))

    def script(_window: SpeechWindow, options: TranscriptionOptions) -> RecognisedWindow:
        return RecognisedWindow("en", 1.0, () if options.assume_speech else (spoken("whispered words", 2, 4, GOOD),))

    transcript = await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert transcript.text == "whispered words"


@pytest.mark.parametrize(("words", "scores", "reason"), [("Wow", IMPROBABLE, "improbable"), (". . .", GOOD, "no_words")])
async def test_improbable_text_mostly_beside_the_speech_and_text_without_words_are_withheld(
    tmp_path: Path, words: str, scores: SegmentScores, reason: str
) -> None:
    audio, detector = recording(tmp_path, (0.0, 3), (0.9, 1), (0.0, 10))

    def script(_window: SpeechWindow, _options: TranscriptionOptions) -> RecognisedWindow:
        return RecognisedWindow("en", 1.0, (spoken(words, 3, 6, scores),))

    transcript = await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert transcript.segments == ()
    assert [suspect.reason for suspect in transcript.coverage.suspects] == [reason]


async def test_more_text_than_anybody_can_say_is_withheld(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.9, 3))

    transcript = await TranscribeAudio(ScriptedTranscriber(says("many different words " * 30)), detector)(
        "t", audio, ENGLISH, CONTEXT, nobody
    )

    assert [suspect.reason for suspect in transcript.coverage.suspects] == ["impossible_rate"]


async def test_speech_without_text_lowers_the_coverage_and_is_listed(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.9, 6), (0.0, 1), (0.9, 4))

    def script(_window: SpeechWindow, options: TranscriptionOptions) -> RecognisedWindow:
        return RecognisedWindow("en", 1.0, () if options.assume_speech else (spoken("only the first part", 0, 6),))

    transcript = await TranscribeAudio(ScriptedTranscriber(script), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    (suspect,) = transcript.coverage.suspects
    assert (suspect.reason, round(suspect.start), round(suspect.end)) == ("no_text", 7, 11)
    assert transcript.coverage.ratio == pytest.approx(0.6, abs=0.01)


async def test_a_segment_of_several_sentences_becomes_one_segment_per_sentence(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, (0.9, 12))
    text = "We ship on Friday. Does Dr. Lee agree with that? Yes. She does agree with all of it."

    transcript = await TranscribeAudio(ScriptedTranscriber(says(text)), detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert [segment.text for segment in transcript.segments] == [
        "We ship on Friday.",
        "Does Dr. Lee agree with that?",
        "Yes.",
        "She does agree with all of it.",
    ]
    assert transcript.text == text
    ends = [segment.end for segment in transcript.segments]
    starts = [segment.start for segment in transcript.segments]
    assert all(end <= start + 1e-9 for end, start in zip(ends, starts[1:], strict=False))


async def test_the_first_windows_vote_on_the_language_and_a_doubtful_window_follows(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *((0.9, 5), (0.0, 20)) * 5)

    def script(window: SpeechWindow, options: TranscriptionOptions) -> RecognisedWindow:
        doubtful = window.index in (1, 4)
        return says("hallo", language="cy" if doubtful else "de", probability=0.55 if doubtful else 0.9)(window, options)

    transcriber = ScriptedTranscriber(script)
    transcript = await TranscribeAudio(transcriber, detector)("t", audio, TranscriptionOptions(), CONTEXT, nobody)

    assert transcript.language == "de"
    again = [window.index for window, options in transcriber.asked if options.language == "de"]
    assert sorted(again) == [1, 4]
    said = [(segment.language, segment.language_probability) for segment in transcript.segments]
    assert said == [("de", 0.9), ("de", None), ("de", 0.9), ("de", 0.9), ("de", None)], "what was decided was not guessed"


async def test_a_window_clearly_in_another_language_keeps_it(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *((0.9, 5), (0.0, 20)) * 4)

    def script(window: SpeechWindow, options: TranscriptionOptions) -> RecognisedWindow:
        return says("bonjour", language="fr" if window.index == 3 else "en", probability=0.95)(window, options)

    transcriber = ScriptedTranscriber(script)
    transcript = await TranscribeAudio(transcriber, detector)("t", audio, TranscriptionOptions(), CONTEXT, nobody)

    assert transcript.language == "en"
    assert {options.language for _, options in transcriber.asked} == {None}
    assert len(transcriber.asked) == 4
    assert [(segment.language, segment.language_probability) for segment in transcript.segments] == [
        ("en", 0.95), ("en", 0.95), ("en", 0.95), ("fr", 0.95),
    ]  # fmt: skip


async def test_a_translation_is_in_english_whatever_is_spoken(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)
    transcriber = ScriptedTranscriber(says("Hello.", language="es"))

    options = AudioPayload("b", 1, task="translate", temperature=0.4).options(TranscriptionOptions())
    transcript = await TranscribeAudio(transcriber, detector)("t", audio, options, CONTEXT, nobody)

    assert transcript.language == "en"
    assert {segment.language for segment in transcript.segments} == {"es"}, "what was spoken"
    (asked, *_) = [options for _, options in transcriber.asked]
    assert (asked.task, asked.temperature, asked.word_timestamps, asked.language) == ("translate", 0.4, False, None)
    assert {call.parameters["task"] for call in transcript.provenance} == {"translate"}, "the key of every call says so"


async def test_a_request_that_says_nothing_is_decoded_as_the_service_does_by_itself() -> None:
    assert AudioPayload("b", 1).options(TranscriptionOptions()) == TranscriptionOptions()


async def test_a_language_that_was_given_is_not_questioned(tmp_path: Path) -> None:
    audio, detector = recording(tmp_path, *THREE_WINDOWS)
    transcriber = ScriptedTranscriber(says("hola", language="es"))

    transcript = await TranscribeAudio(transcriber, detector)("t", audio, ENGLISH, CONTEXT, nobody)

    assert transcript.language == "en"
    assert [options.language for _, options in transcriber.asked] == ["en"] * 3
    assert {(segment.language, segment.language_probability) for segment in transcript.segments} == {("en", None)}
