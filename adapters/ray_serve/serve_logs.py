"""The service's own log lines on Serve's handlers."""

import logging

log = logging.getLogger("ray.serve")


class _ToServe(logging.Handler):
    """Hands a record to whatever handlers Serve's logger has by then: Serve replaces them after the replica has started."""

    def emit(self, record: logging.LogRecord) -> None:
        if log.isEnabledFor(record.levelno):
            log.handle(record)


def adopt_logs() -> None:
    """Send the service's own log lines to Serve's handlers: JSON with request and replica, where the operator looks."""
    for name in ("wordloop", "adapters"):
        own = logging.getLogger(name)
        own.handlers = [_ToServe()]
        own.setLevel(logging.INFO)
        own.propagate = False
