"""Failure: the error that ended a move early, kept until all of its outcome is known."""

from __future__ import annotations

from typing import NamedTuple

from .outcome import MovePagesError, MoveResult


class Failure(NamedTuple):
    """An error that is raised later.

    An exception in a variable would keep its stack frames alive, and the user's array with them.
    """

    kind: type[MovePagesError]
    arguments: tuple[object, ...]

    @classmethod
    def of(cls, error: MovePagesError) -> Failure:
        """Return what is needed to raise an error again."""
        return cls(type(error), (error.errno, error.strerror))

    @property
    def errno(self) -> object:
        """Errno of the call."""
        return self.arguments[0]

    def error(self, result: MoveResult | None = None) -> MovePagesError:
        """Return the error to raise, with the outcome of the move on it."""
        error = self.kind(*self.arguments)
        error.result = result
        return error
