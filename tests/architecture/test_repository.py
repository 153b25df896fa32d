"""Rules on the repository itself."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 340
"""Lines of a source file that a reader can hold in the head, with a little slack for tables."""


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).exists()]


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    long = {str(p.relative_to(ROOT)): n for p in tracked(".py") if (n := len(p.read_text().splitlines())) > LONGEST}
    assert not {name for name in long if not name.startswith("tests/")}, long


def test_nothing_names_a_package_index_or_a_path_of_a_machine() -> None:
    host = re.compile(r"pypi\.org|pythonhosted|/root/|/home/[a-z]+/|/work/")
    files = [*tracked(".py", ".md", ".toml", ".yaml", ".yml", "Dockerfile", "justfile"), ROOT / "just", ROOT / ".ci" / "run"]
    allowed = {ROOT / "tests" / "architecture" / "test_repository.py", ROOT / "Dockerfile"}
    found = {str(p.relative_to(ROOT)) for p in files if p not in allowed and host.search(p.read_text())}
    assert not found


def test_every_port_method_is_abstract() -> None:
    for path in tracked(".py"):
        if path.parent.name == "ports":
            text = path.read_text()
            methods = len(re.findall(r"^    (?:async )?def (?!parameters|plain)", text, re.M))
            abstract = text.count("@abstractmethod")
            assert abstract >= methods - text.count("def __"), path.name


TRAINING = {"optim", "fit", "Trainer", "SentenceTransformerTrainer", "finetune", "train", "requires_grad_"}
"""Names without which nobody trains a model with PyTorch, Transformers or Sentence Transformers."""


def test_nothing_here_trains_a_model_on_what_callers_send() -> None:
    """`training` learns from committed data, and nothing that serves may import it (test_layers.py)."""
    for path in tracked(".py"):
        if path.relative_to(ROOT).parts[0] not in ("tests", "benchmarks", "training"):
            tree = ast.walk(ast.parse(path.read_text()))
            used = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in tree}
            assert not used & TRAINING, path.name
