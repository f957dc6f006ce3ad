"""Child processes that are always ended and reaped, and report their failures."""

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from . import system
from .forks import fork

# The overflow uid, a user that owns nothing.
NOBODY = 65534
# Far longer than anything takes, even in slow guests: it only ends a call that hangs.
PATIENCE_S = 300
_PR_SET_DUMPABLE = 4
# linux/capability.h
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


class ChildDiedError(Exception):
    """A child ended before it was told to."""


class Child:
    """A child process that waits for calls.

    Attributes
    ----------
    pid : int
        Process id.
    result : object
        Return value of the function that it was started with.
    """

    def __init__(self, pid: int, connection: Connection) -> None:
        self.pid = pid
        self._connection = connection
        self.result: Any = None

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Run a function in the child; return what it returns, raise what it raises.

        The function is sent by name: it must be a function of a module, not a lambda.
        """
        self._connection.send((function, arguments))
        return self.answer()

    def answer(self) -> Any:
        """Return or raise the next answer of the child."""
        if not self._connection.poll(PATIENCE_S):
            raise ChildDiedError(f"no answer within {PATIENCE_S} s from child {self.pid}")
        try:
            good, value = pickle.loads(self._connection.recv_bytes())
        except (EOFError, ConnectionResetError):
            raise ChildDiedError(f"child {self.pid} ended without an answer") from None
        if not good:
            raise value
        return value


@contextlib.contextmanager
def child(
    function: Callable[..., Any] | None = None, *arguments: object, uid: int | None = None
) -> Iterator[Child]:
    """Fork a child that runs a function, and then waits until the block ends.

    Parameters
    ----------
    function : callable, optional
        Function that it runs first. It is forked and not sent, so any callable will do.
    *arguments
        Its arguments.
    uid : int, optional
        User to become first, as an ordinary process without groups and capabilities. Needs root.

    Yields
    ------
    Child
        The child, after the function has returned. What the function raised is raised here.
    """
    here, there = multiprocessing.Pipe()
    pid = fork()
    if pid == 0:
        here.close()
        _live(there, _begin, (uid, function, arguments))
    there.close()
    try:
        one = Child(pid, here)
        one.result = one.answer()
        yield one
    except BaseException:
        _end(pid)
        raise
    else:
        status = _end(pid)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            how = os.waitstatus_to_exitcode(status)
            raise ChildDiedError(f"child {pid} ended before it was told to: exit code {how}")
    finally:
        here.close()


@contextlib.contextmanager
def spawned() -> Iterator[Child]:
    """Start a child that shares no memory with this process and waits for calls."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_live, args=(there, _begin, (None, None, ())), daemon=True)
    process.start()
    there.close()
    try:
        one = Child(process.pid, here)
        one.answer()
        yield one
    finally:
        process.kill()
        process.join()
        here.close()


def run_as(uid: int | None, function: Callable[..., Any], *arguments: object) -> Any:
    """Run a function in a child, as user `uid` if given; return or raise what it does."""
    with child(function, *arguments, uid=uid) as one:
        return one.result


def dead_pid() -> int:
    """Return the pid of a process that no longer exists."""
    with child() as one:
        pass
    return one.pid


def become(uid: int) -> None:
    """Make this process an ordinary one of another user, permanently."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # Otherwise root would own its /proc files, as those of a set-user-id program.
    system.succeed(system.libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0))


def give_up_capabilities() -> None:
    """Drop all capabilities: this process goes on as a root that may do no more than others."""
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    system.succeed(system.libc.capset(header, (ctypes.c_uint32 * 6)()))


def _end(pid: int) -> int:
    # It is not reaped yet, so the pid is still its own. A dead child keeps its own status.
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _live(parent: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> NoReturn:
    """Run as the child, and never return into the parent's code."""
    # It ends when it is killed, or when the parent is gone, and with it the pipe.
    with contextlib.suppress(BaseException):
        while True:
            parent.send_bytes(_outcome(function, arguments))
            function, arguments = parent.recv()
    os._exit(1)


def _begin(uid: int | None, function: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> Any:
    if uid is not None:
        become(uid)
    return function(*arguments) if function else None


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    try:
        return pickle.dumps((True, function(*arguments)))
    except BaseException as error:
        trace = traceback.format_exc()
        error.add_note(f"in a child process:\n{trace}")
        try:
            pickle.loads(given := pickle.dumps((False, error)))
        except Exception:
            return pickle.dumps((False, RuntimeError(trace)))
        return given
