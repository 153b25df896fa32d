"""The child process that writes the networks of the diarizer as ONNX: `python -m ... SEGMENTATION TARGET`.

The other files of the model lie beside the first. Nothing of torch is imported, and nothing in its files is run.
"""

import errno
import shutil
import sys
from pathlib import Path

from adapters.model_store.conversion_child import die_with_parent, is_disk_full
from adapters.model_store.convert_campplus import write_campplus
from adapters.model_store.convert_segmentation import write_segmentation
from adapters.model_store.torch_file import read_tensors

VOICES, LICENCES = "voices.pt", "LICENCES"


def main(segmentation: Path, target: Path) -> int:
    """Convert and return the exit status."""
    die_with_parent()
    try:
        write_segmentation(read_tensors(segmentation), target / "segmentation.onnx")
        write_campplus(read_tensors(segmentation.with_name(VOICES)), target / "voices.onnx")
        shutil.copyfile(segmentation.with_name(LICENCES), target / LICENCES)
    except Exception as failed:
        if is_disk_full(failed):
            return errno.ENOSPC
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
