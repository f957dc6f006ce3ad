"""Forks of this process, whose children go on as copies of it."""

import os
import warnings
from collections.abc import Callable
from typing import TypeVar

_Forked = TypeVar("_Forked")


def fork(how: Callable[[], _Forked] = os.fork) -> _Forked:
    """Fork as `how` does, os.fork() or pty.fork(), although this process may have threads.

    Python 3.12 and later warn of threads at a fork, and the threads of numpy are enough. As an
    error, the warning is raised in the parent when the child is already there, which nothing would
    then end or reap. No child here needs a thread or a lock of its parent.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* is multi-threaded, use of ", DeprecationWarning)
        return how()


def in_child(act: Callable[[], object]) -> str:
    """Return what a forked child raised, as text: the bases of its class, and its message."""
    reader, writer = os.pipe()
    pid = fork()
    if not pid:
        try:
            act()
            told = "nothing"
        except BaseException as error:
            told = f"{[kind.__name__ for kind in type(error).__mro__]} {error}"
        os.write(writer, told.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as source:
        told = source.read().decode()
    os.waitpid(pid, 0)
    return told
