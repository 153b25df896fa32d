"""`python -m prompts check` and `python -m prompts lock`."""

import sys

from prompts.checks import problems
from prompts.lock import write_lock


def main(arguments: list[str]) -> int:
    """Check prompts, or write the lock; exit status 1 when something stands against it, 2 for an unknown word."""
    if arguments not in (["check"], ["lock"]):
        print("usage: python -m prompts check|lock", file=sys.stderr)
        return 2
    found = problems() if arguments == ["check"] else write_lock()
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
