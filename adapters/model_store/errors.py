"""What can go wrong between a model's name and a folder an engine can load; every sentence says what to do."""

from domain.errors import WordloopError


class ModelStoreError(WordloopError):
    """Root of the errors of the model store."""


class UnknownModel(ModelStoreError):
    """No model of that name or precision is in the manifest."""


class ModelSourceMissing(ModelStoreError):
    """A model's source is not there: packages not installed, folder absent, hub not allowed.

    Arguments: detail, and for one source among several the bare reason, to be joined with the others'.
    """

    @property
    def reason(self) -> str:
        return str(self.args[-1])


class ModelOffline(ModelSourceMissing):
    """The model is only on the hub, and the hub must not be asked."""


class ModelSumWrong(ModelStoreError):
    """A file is not, byte for byte, the one the manifest names."""


class NotEnoughSpace(ModelStoreError):
    """The disk that holds the cache folder is too full to assemble the model."""


class UnsafeModel(ModelStoreError):
    """The model would run foreign code when loaded: pickled weights or code of its own."""


class ModelUnreadable(ModelStoreError):
    """The folder is not a model of a kind that the engines here load."""


class ConversionFailed(ModelStoreError):
    """The weights were right, but turning them into the engine's format failed."""
