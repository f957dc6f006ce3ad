"""How a command fails: its errors, and its sentence on standard error."""

from __future__ import annotations

import sys


class NoRegionError(LookupError):
    """The process has no region that matches ``--region``."""


class TooLargeError(ValueError):
    """The requested array is larger than the free memory."""


def complain(sentence: str) -> None:
    """Print an error to standard error."""
    # If standard error is closed, print() would write to standard output.
    if sys.stderr is not None:
        print(f"movepages: {sentence}", file=sys.stderr)
