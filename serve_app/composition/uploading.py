"""From an upload to its transcript, wired to the decoder, the voice detector and the transcriber."""

from application.fetch_recording import FetchRecording
from application.speakers.know_voices import KnowVoices
from application.speakers.tell_speakers import TellSpeakers
from application.transcribe_audio import TranscribeAudio
from application.transcribe_upload import TranscribeUpload
from domain.voice_profiles import VoiceModel
from ports.transcriber import TranscriptionOptions
from serve_app.composition.blobs import work_dir
from serve_app.composition.composition import Composition
from serve_app.engines.descriptors import diarizer_voices
from serve_app.engines.served_models import model_store


def transcribe_upload(composition: Composition) -> TranscribeUpload:
    """Return the part of the plan that every job over a recording begins with."""
    from adapters.pyav_decoder.decoder import PyAvDecoder
    from adapters.pyav_decoder.limits import DecodeLimits
    from adapters.silero_vad import SileroVad

    settings, results = composition.settings, composition.store.results
    most_bytes = settings.limits.max_upload_bytes
    return TranscribeUpload(
        blobs=composition.blobs,
        decoder=PyAvDecoder(DecodeLimits(), require_confinement=settings.security.require_confinement),
        transcribe=TranscribeAudio(composition.transcriber, SileroVad(), composition.transcription),
        transcripts=results,
        known=composition.known,
        work_dir=work_dir(settings.data_folder),
        max_audio_s=settings.limits.max_audio_s,
        options=TranscriptionOptions(),
        fetch=FetchRecording(composition.outbound, composition.blobs, results, most_bytes, composition.removal),
        expected=composition.expected,
        speakers=TellSpeakers(composition.find_speakers, settings.speakers.by_default, know_voices(composition)),
        vocabulary=settings.vocabulary.tenants,
    )


def know_voices(composition: Composition) -> KnowVoices | None:
    """Return who knows kept voices again; None where no voices are listened to."""
    served = composition.models.diarizer
    if served is None:
        return None
    rules = diarizer_voices(composition.settings.diarizer, model_store())
    return KnowVoices(composition.store.voices, VoiceModel.of(served), rules)
