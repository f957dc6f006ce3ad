"""Failure: an error kept as a value, to be raised once all of its outcome is known."""

from __future__ import annotations


class Failure:
    """An error to raise later: ``raise failure.take()``.

    A traceback keeps alive the frames that its error came through, and the user's array with them.
    A frame that kept the error that it raises would be in a reference cycle with it. So nothing but
    this object holds the error, and `take` makes it forget the error.
    """

    def __init__(self, error: BaseException) -> None:
        self._errors = [error]

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return the failure for an error that was caught, without the frames it came through."""
        return cls(error.with_traceback(None))

    @property
    def error(self) -> BaseException:
        """The error, which this object goes on holding."""
        return self._errors[0]

    def take(self) -> BaseException:
        """Return the error and forget it."""
        return self._errors.pop()
