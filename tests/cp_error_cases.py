"""Makes the cases that hold our count of speakers' words to that of meeteval, which has to be compiled and is no dependency:

uv run --with meeteval==0.4.3 python -m tests.cp_error_cases
"""

import json
import random
from pathlib import Path

CASES = Path(__file__).with_name("data") / "cp_errors_by_meeteval.json"
WORDS = ["one", "two", "three", "four", "five", "six", "seven"]


def main() -> None:
    import meeteval

    draw = random.Random(7)

    def texts() -> dict[str, str]:
        return {f"speaker {n}": " ".join(draw.choices(WORDS, k=draw.randint(0, 7))) for n in range(draw.randint(1, 5))}

    pairs = [(texts(), texts()) for _ in range(40)]
    counts = [meeteval.wer.cp_word_error_rate(reference, found) for reference, found in pairs]
    rows = [
        json.dumps({"reference": reference, "found": found, "errors": count.errors, "words": count.length})
        for (reference, found), count in zip(pairs, counts, strict=True)
    ]
    CASES.write_text("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
