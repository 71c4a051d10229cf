"""What a run shows in a terminal: one line that moves, and lines that stay."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, RenderableType
from rich.markup import escape

from orchestration.progress import Progress

# Lines of a log are not cut at the 80 columns that it does not have.
_LOG_WIDTH = 200
# Where the output is no terminal (a log), a line as often as this is enough.
_SECONDS_BETWEEN_LINES = 10


class Display:
    """Shows a run. In a terminal the current step is a line that moves; elsewhere lines are few."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _console()
        self._status = self._console.status("")
        self._told_at = time.monotonic()
        self._stage: str | None = None

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._status.stop()

    def status(self, text: str) -> None:
        """What is being done now."""
        if self._console.is_terminal:
            self._status.update(escape(text))
        else:
            self._console.print(f"{escape(text)} …")

    def hear(self, message: Progress | str) -> None:
        """A step forward, or a remark."""
        if isinstance(message, str):
            self._console.print(escape(message))
            return
        of = "" if message.total is None else f" of {message.total:,}"
        text = f"{message.stage} {message.done:,}{of} {message.what}".rstrip()
        if self._console.is_terminal:
            self._status.update(escape(text))
        elif (
            message.stage != self._stage
            or time.monotonic() - self._told_at >= _SECONDS_BETWEEN_LINES
        ):
            self._told_at = time.monotonic()
            self._console.print(f"{escape(text)} …")
        self._stage = message.stage

    def done(self, text: str) -> None:
        """A step that is finished."""
        self._console.print(f"[green]✓[/] {escape(text)}")

    def warning(self, text: str) -> None:
        """Something to look at."""
        self._console.print(f"[yellow]![/] {escape(text)}")

    def failure(self, text: str) -> None:
        """Something that stops the run."""
        self._console.print(f"[red]✗[/] {escape(text)}")

    def show(self, *what: RenderableType) -> None:
        """A result."""
        self._console.print(*what)


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    if console.is_terminal:
        return console
    return Console(highlight=False, soft_wrap=True, width=_LOG_WIDTH)
