"""Who speaks when, in this process: two small networks on ONNX Runtime, and filter banks in numpy."""

from adapters.speaker_networks.engine import SpeakerNetworksEngine

__all__ = ["SpeakerNetworksEngine"]
