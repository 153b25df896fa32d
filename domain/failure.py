"""What a log may tell of an unexpected error."""

import traceback
from pathlib import Path

INNERMOST = 12


def stack_of(error: BaseException) -> str:
    """Return the kind of an error and where it came from, innermost last; never its words, which may quote somebody's input."""
    trail = []
    seen: BaseException | None = error
    while seen is not None:
        frames = traceback.extract_tb(seen.__traceback__)[-INNERMOST:]
        at = " > ".join(f"{Path(frame.filename).parent.name}/{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
        trail.append(f"{type(seen).__module__}.{type(seen).__qualname__} at {at or 'unknown place'}")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "; caused by ".join(trail)
