"""Find enum members that the package passes to numpy, which then may lose a Ctrl-C.

For each operand that is not a Python number, numpy looks up protocols on its class, and clears any
exception raised meanwhile. Up to Python 3.11 an enum class answers in Python code, where a signal
handler may run and raise.
"""

import contextlib
import sys
from collections.abc import Iterator
from enum import EnumMeta
from unittest import mock


@contextlib.contextmanager
def seen_by_numpy() -> Iterator[list[str]]:
    """Collect the places where the package made numpy look up protocols on an enum class."""
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
