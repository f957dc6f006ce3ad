"""Become another program, or run one and pass on what it is sent and how it ends."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

from ..system.refusals import Refusal
from ..system.signal_safe import signal_safe_thread, start_thread

_T = TypeVar("_T")

# Python ignores these, and programs inherit what is ignored.
_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
# Signals about a program itself, and those by which a shell stops and continues its jobs, which
# reach the program without help.
_OWN = {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT,
    signal.SIGSYS, *_PYTHON_IGNORES,
}  # fmt: skip
# si_code of a signal that the terminal sends; the kernel's include/uapi/asm-generic/siginfo.h.
_SI_KERNEL = 0x80
# A notice that the program has ended may reach another thread, such as one of numpy's.
_LOOK_EVERY_S = 0.25
_SHELL = "/bin/sh"


class CannotRunError(Exception):
    """The program cannot be run: its arguments are the exit status of a shell, and the reason."""


def become(command: list[str]) -> NoReturn:
    """Replace this process by a program, as execvp(3) does.

    Raises
    ------
    CannotRunError
        The program does not exist or cannot be executed.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    for number in _PYTHON_IGNORES:
        signal.signal(number, signal.SIG_DFL)
    with Refusal() as refusal:
        os.execvp(command[0], command)
    if refusal.code == errno.ENOEXEC:
        with Refusal() as refusal:
            os.execv(_SHELL, _as_script(command))
    raise _cannot_run(command[0], refusal)


class Running:
    """A program that runs as a child of this process.

    Parameters
    ----------
    command : list of str
        Name and arguments.
    prepare : callable
        Called in the thread that starts the program, which inherits what this sets for its thread.

    Attributes
    ----------
    pid : int
        Process id.
    status : int
        How it has ended, as `os.waitstatus_to_exitcode` returns it.
    usage : resource.struct_rusage
        What it has used.

    Notes
    -----
    The program belongs to the process group of this process, so that a terminal's signals reach
    both. This process passes on the others.
    """

    def __init__(self, command: list[str], prepare: Callable[[], object]) -> None:
        self.pid, self.status = 0, 0
        self.usage = resource.getrusage(resource.RUSAGE_SELF)
        self._command, self._prepare = command, prepare
        self._early: list[int] = []

    @contextmanager
    def started(self) -> Iterator[None]:
        """Run the program from here on; signals arrive by `wait` within the block.

        Raises
        ------
        CannotRunError
            The program does not exist or cannot be executed.
        """
        # With SIGCHLD ignored, the kernel would tell nobody how the program ends.
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        passed_on = {n for n in signal.valid_signals() - _OWN if _is_heard(n)}
        self._awaited = passed_on | {signal.SIGCHLD}
        mask: set[int] = {*signal.pthread_sigmask(signal.SIG_BLOCK, self._awaited)}
        # Other threads, such as numpy's, do not block them.
        handlers = {n: signal.signal(n, lambda n, _frame: self._send(n)) for n in passed_on}
        try:
            self.pid = _in_thread(lambda: self._start(mask))
            for number in self._early:
                self._send(number)
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def wait(self) -> None:
        """Wait until the program has ended, and pass on signals to it meanwhile."""
        while True:
            ended, status, usage = os.wait4(self.pid, os.WNOHANG)
            if ended:
                self.status, self.usage = os.waitstatus_to_exitcode(status), usage
                # What the terminal has sent to both is not to interrupt this process afterwards.
                while signal.sigtimedwait(self._awaited, 0):
                    pass
                return
            heard = signal.sigtimedwait(self._awaited, _LOOK_EVERY_S)
            # The terminal has sent it to the program, too.
            if heard and heard.si_code != _SI_KERNEL and heard.si_signo != signal.SIGCHLD:
                self._send(heard.si_signo)

    def _send(self, number: int) -> None:
        if not self.pid:
            self._early.append(number)
            return
        with Refusal():
            os.kill(self.pid, number)

    def _start(self, mask: set[int]) -> int:
        self._prepare()
        with Refusal() as refusal:
            return _spawn(self._command[0], self._command, mask)
        if refusal.code == errno.ENOEXEC:
            with Refusal() as refusal:
                return _spawn(_SHELL, _as_script(self._command), mask)
        raise _cannot_run(self._command[0], refusal)


def end_alike(status: int) -> int:
    """End by the signal that has ended a program, or return its exit status."""
    if status >= 0:
        return status
    # The program has left a core file where one is wanted.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    number = -status
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    return 128 + number


def _spawn(name: str, command: list[str], mask: set[int]) -> int:
    return os.posix_spawnp(name, command, os.environ, setsigmask=mask, setsigdef=_PYTHON_IGNORES)


def _is_heard(number: int) -> bool:
    # None: installed outside Python, which includes the two that the C library keeps to itself.
    return signal.getsignal(number) not in (signal.SIG_IGN, None)


def _as_script(command: list[str]) -> list[str]:
    """Return the command that runs a script without a first line that names its interpreter."""
    return [_SHELL, shutil.which(command[0]) or command[0], *command[1:]]


def _cannot_run(name: str, refusal: Refusal) -> CannotRunError:
    missing = refusal.code in (errno.ENOENT, errno.ENOTDIR)
    return CannotRunError(127 if missing else 126, f"{name}: {refusal.why}")


def _in_thread(work: Callable[[], _T]) -> _T:
    """Return or raise what a function does in a thread of its own."""
    outcome: list[_T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = signal_safe_thread(run)
    start_thread(thread)
    thread.join()
    if failure:
        raise failure.pop()
    return outcome[0]
