"""Refusals of system calls are distinguished from exceptions of signal handlers, everywhere."""

import ast
import errno
import os
import signal
import struct
from pathlib import Path

import pytest

import movepages as mp
from movepages.pages.buffers import footprint_of
from movepages.system.refusals import Refusal, is_there
from support.forks import fork, in_child

PACKAGE = Path(mp.__file__).parent
# Each of these would take a signal handler's exception for the answer of a system call.
CATCH_MUCH = {"OSError", "EnvironmentError", "IOError", "TimeoutError", "Exception"}
PATHS = {"exists", "lexists", "isfile", "isdir", "islink", "is_file", "is_dir", "is_symlink"}
# A coroutine of Dask, in a thread of its own, which no signal handler interrupts.
ALLOWED = {("dask_client.py", "Exception")}


def names_in(node):
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} | {
        each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)
    }


def too_much_in(tree):
    """Yield handlers that catch too much, unless they raise it again in the end."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            last = node.body[-1]
            passes = isinstance(last, ast.Raise) and last.exc is None
            caught = names_in(node.type) & CATCH_MUCH if node.type else {"everything"}
            if caught and not passes:
                yield node.lineno, caught.pop()
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if "suppress" in (called, getattr(node.func, "id", "")):
                for name in CATCH_MUCH & {n for each in node.args for n in names_in(each)}:
                    yield node.lineno, f"suppress({name})"
            if called in PATHS:
                yield node.lineno, called


@pytest.mark.parametrize(
    "text",
    [
        "try: pass\nexcept OSError: pass", "try: pass\nexcept (ValueError, OSError) as e: return e",
        "try: pass\nexcept: pass", "with contextlib.suppress(OSError): pass",
        "with suppress(KeyError, Exception): pass", "os.path.exists('/x')", "path.is_dir()",
    ],
)  # fmt: skip
def test_check_finds_broad_handlers(text):
    assert list(too_much_in(ast.parse(text)))


def test_nothing_catches_more_than_refusals():
    found = {
        (path.name, what): line
        for path in PACKAGE.rglob("*.py")
        for line, what in too_much_in(ast.parse(path.read_text()))
    }
    assert found.keys() == ALLOWED, found


class InterruptionError(TimeoutError):
    """Raised by the signal handler."""


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(), TimeoutError("time is up"), TimeoutError(errno.ETIMEDOUT, "time is up"),
        InterruptionError(errno.EINTR, "x"), OSError("text alone"), KeyboardInterrupt(),
        ValueError(), mp.TopologyError("x"),
    ],
)  # fmt: skip
def test_other_exceptions_pass(error):
    with pytest.raises(type(error)) as caught, Refusal():
        raise error
    assert caught.value is error


def test_exception_of_a_handler_passes_even_where_all_are_caught():
    for error in (RuntimeError(), OSError(errno.EPERM, "x"), mp.MovePagesError(errno.EPERM, "x")):
        with Refusal(Exception) as refusal:
            raise error
        assert refusal.error is error
    with pytest.raises(InterruptionError), Refusal(Exception):
        raise InterruptionError(errno.EPERM, "x")


def test_a_refusal_is_kept():
    with Refusal() as refusal:
        os.stat("/nowhere/at/all")
    assert isinstance(refusal.error, FileNotFoundError)
    assert (refusal.code, refusal.why) == (errno.ENOENT, "No such file or directory")
    assert refusal.error.__traceback__ is None
    with Refusal() as refusal:
        pass
    assert (refusal.error, refusal.code) == (None, 0)
    with Refusal(struct.error) as refusal:
        struct.unpack("=Q", b"")
    assert (refusal.code, refusal.why) == (errno.EIO, "Input/output error")


def test_is_there(tmp_path):
    assert is_there(tmp_path)
    assert not is_there(tmp_path / "x")


def raise_interruption(*_args, **_how):
    raise InterruptionError


def test_page_cache_passes_interruptions_on(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(bytes(8192))
    monkeypatch.setattr("movepages.memory.page_cache._owns_all", lambda: False)
    monkeypatch.setattr(
        "movepages.memory.page_cache._core.tells_what_is_in_memory", lambda _address: False
    )
    assert mp.page_cache(file).nbytes == 8192
    real = os.stat

    def stat(path, *args, **how):
        return raise_interruption() if isinstance(path, bytes) else real(path, *args, **how)

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(InterruptionError):
        mp.page_cache(file)


@pytest.mark.parametrize("call", ["move", "where"])
def test_members_pass_interruptions_on(monkeypatch, call):
    from movepages.cluster import own_arrays

    monkeypatch.setattr(own_arrays, call, raise_interruption)
    with pytest.raises(InterruptionError):
        own_arrays.move_near("me", [object()], mp.MPOL_MF_MOVE)


@pytest.mark.usefixtures("need_root")
def test_error_without_proc_names_the_remedy(tmp_path):
    (tmp_path / "file").write_bytes(bytes(8192))
    mp.page_cache(tmp_path / "file")

    def act(call):
        os.chroot(tmp_path)
        os.chdir("/")
        call()

    for call in (lambda: mp.page_cache("/file"), lambda: PROCESS.regions()):
        told = in_child(lambda call=call: act(call))
        assert "'MovePagesError'" in told
        assert "/proc is not mounted; mount it" in told
    assert in_child(lambda: act(lambda: mp.page_cache("/file", read=True))) == "nothing"


PROCESS = mp.process()


def test_zombie_counts_as_no_process():
    a = bytearray(1 << 16)
    where = footprint_of(a)
    pid = fork()
    if not pid:
        signal.pause()
        os._exit(0)
    region = mp.Region(where.address, where.nbytes, pid)
    try:
        assert mp.where(region).pages
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        for call in (
            lambda: mp.where(region),
            lambda: mp.move(region, 0),
            lambda: mp.move_pages([where.address], pid=pid),
            lambda: mp.process(pid).regions(),
        ):
            with pytest.raises(ProcessLookupError, match=f"process {pid} "):
                call()
    finally:
        os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError, match=f"there is no process {pid}"):
        mp.where(region)
    with pytest.raises(ProcessLookupError, match=f"there is no process {pid} "):
        mp.process(pid).regions()
