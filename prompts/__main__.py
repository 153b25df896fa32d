"""`python -m prompts check` and `python -m prompts lock`."""

import sys

from prompts.lock import lock_problems, write_lock


def main(arguments: list[str]) -> int:
    """Check or write the lock; exit status 1 when something stands against it, 2 for an unknown word."""
    if arguments not in (["check"], ["lock"]):
        print("usage: python -m prompts check|lock", file=sys.stderr)
        return 2
    problems = lock_problems() if arguments == ["check"] else write_lock()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
