"""Bars that show how much of some bytes is done: by rich, by tqdm, as a line, or in a notebook."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any, Protocol

from ..units import format_bytes
from .optional import is_missing


class Bar(Protocol):
    """A bar on standard error or in a notebook."""

    def update(self, done: int, total: int) -> None:
        """Draw the bar anew, with this many of all bytes done."""

    def close(self) -> None:
        """Leave the bar as it is."""


def new_bar() -> Bar | None:
    """Return a bar, which is drawn by its first update; None where nobody would see it."""
    if _in_notebook():
        return NotebookBar()
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    if _has("rich"):
        return RichBar()
    return TqdmBar() if _has("tqdm") else LineBar()


class RichBar:
    """A bar of the package rich."""

    def __init__(self) -> None:
        from rich.console import Console

        self._bars = rich_progress(Console(stderr=True), auto_refresh=False)
        self._task: Any = None

    def update(self, done: int, total: int) -> None:
        """Draw the bar anew."""
        if self._task is None:
            self._task = self._bars.add_task("", total=total)
            self._bars.start()
        self._bars.update(self._task, completed=done, total=total, refresh=True)

    def close(self) -> None:
        """Leave the bar, and show the cursor again."""
        self._bars.stop()


class TqdmBar:
    """A bar of the package tqdm."""

    def __init__(self) -> None:
        self._tqdm = import_module("tqdm").tqdm
        self._bar: Any = None

    def update(self, done: int, total: int) -> None:
        """Draw the bar anew."""
        if self._bar is None:
            self._bar = self._tqdm(
                total=total, unit="B", unit_scale=True, unit_divisor=1024, file=sys.stderr
            )
        self._bar.n = done
        self._bar.refresh()

    def close(self) -> None:
        """Leave the bar."""
        if self._bar is not None:
            self._bar.close()


class LineBar:
    """A line of text that is written over."""

    def __init__(self) -> None:
        self._start, self._longest = time.monotonic(), 0

    def update(self, done: int, total: int) -> None:
        """Write the line anew."""
        line = describe(done, total, time.monotonic() - self._start)
        self._longest = max(self._longest, len(line))
        self._write(f"\r{line.ljust(self._longest)}")

    def close(self) -> None:
        """End the line."""
        if self._longest:
            self._write("\n")

    def _write(self, text: str) -> None:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


class NotebookBar:
    """The bar of a browser. It needs IPython alone, unlike those of rich and tqdm in a notebook."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._shown: Any = None

    def update(self, done: int, total: int) -> None:
        """Draw the bar anew, in the output of the cell."""
        picture = _Picture(done, total, time.monotonic() - self._start)
        if self._shown is None:
            self._shown = import_module("IPython.display").display(picture, display_id=True)
        else:
            self._shown.update(picture)

    def close(self) -> None:
        """Leave the bar."""


class _Picture:
    def __init__(self, done: int, total: int, seconds: float) -> None:
        self._done, self._total = done, total
        self._text = describe(done, total, seconds)

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        value = f'value="{self._done}" max="{max(self._total, 1)}"'
        return (
            f'<progress {value} style="width:20em;vertical-align:middle"></progress> {self._text}'
        )


def describe(done: int, total: int, seconds: float) -> str:
    """Return what a bar tells, as text.

    Examples
    --------
    >>> describe(1 << 20, 4 << 20, 0.5)
    '1 MiB of 4 MiB (25%), 2 MiB/s'
    """
    rate = f", {format_bytes(round(done / seconds))}/s" if done and seconds > 0 else ""
    share = f" ({done / total:.0%})" if total else ""
    return f"{format_bytes(done)} of {format_bytes(total)}{share}{rate}"


def rich_progress(console: Any, **how: Any) -> Any:
    """Return a display of rich for bytes, as wide as the console."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        # Rich uses units of 1000; all other output here uses units of 1024.
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{format_bytes(int(speed))}/s" if speed else "")

    columns = (
        BarColumn(None),
        DownloadColumn(binary_units=True),
        Rate(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, expand=True, **how)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    # IPython in a terminal has no kernel.
    return hasattr(shell, "kernel")


def _has(package: str) -> bool:
    try:
        import_module(package)
    except ModuleNotFoundError as missing:
        if not is_missing(package, missing):
            raise
        return False
    return True
