"""Members of enumerations that the package hands to numpy, which then may lose a Ctrl-C.

Of every operand that is not a number of Python's own, numpy asks the class for the protocols it
may have, and clears whatever is raised while it asks. Up to Python 3.11 the class of an enumeration
answers in Python code, where a signal handler may run and raise.
"""

import contextlib
import sys
from collections.abc import Iterator
from enum import EnumMeta
from unittest import mock


@contextlib.contextmanager
def seen_by_numpy() -> Iterator[list[str]]:
    """Collect where the package made numpy ask an enumeration for its protocols."""
    found: list[str] = []
    answer = getattr(EnumMeta, "__getattr__", None)

    def ask(cls: type, name: str) -> object:
        if name.startswith("__array"):
            frame = sys._getframe(1)
            while frame.f_back and frame.f_globals.get("__name__", "").startswith("numpy"):
                frame = frame.f_back
            if frame.f_globals.get("__name__", "").split(".")[0] == "movepages":
                found.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {cls.__name__}")
        if answer is None:
            raise AttributeError(name)
        return answer(cls, name)

    with mock.patch.object(EnumMeta, "__getattr__", ask, create=True):
        yield found
