"""The assembly of models, shown."""

from rich.progress import Progress, TaskID

from adapters.model_store import Progress as StoreProgress


class StoreBars(StoreProgress):
    """Shows the assembly of models."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def start(self, label: str, total_bytes: int | None) -> None:
        self._task = self._progress.add_task(label, total=total_bytes)

    def advance(self, done_bytes: int) -> None:
        if self._task is not None:
            self._progress.advance(self._task, done_bytes)

    def finish(self) -> None:
        if self._task is not None:
            total = self._progress.tasks[self._progress.task_ids.index(self._task)].total
            self._progress.update(self._task, completed=total or 1, total=total or 1)
        self._task = None
