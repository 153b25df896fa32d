"""What can go wrong before the service runs."""

from domain.errors import WordloopError


class ConfigurationInvalid(WordloopError):
    """A setting is unknown or has no meaning."""


class StartFailed(WordloopError):
    """The service did not come up."""


class ArgumentWrong(WordloopError):
    """Something that was typed can not be: told before anything starts, exit code 2."""
