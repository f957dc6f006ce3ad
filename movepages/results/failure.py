"""Failure: the error that ended a move early, kept until all of its outcome is known."""

from __future__ import annotations

from typing import NamedTuple

from .outcome import MovePagesError


class Failure(NamedTuple):
    """An error to raise later, without the stack frames that it came through.

    A traceback would keep these frames alive, and the user's array with them.
    """

    error: MovePagesError

    @classmethod
    def of(cls, error: MovePagesError) -> Failure:
        """Return the failure for an error that was caught."""
        return cls(error.with_traceback(None))
