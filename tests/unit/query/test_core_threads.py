"""Calls with several threads of the core, in processes where something goes wrong with threads."""

import subprocess
import sys

import pytest

from support import system

SETUP = """
import contextlib, mmap, os, resource
import numpy as np
import movepages as mp
from movepages import _core

PAGE = mmap.PAGESIZE
count = 1 << 16
node = mp.topology().allowed_nodes[0]
# A fork shares all pages, and shared pages can be in place, but cannot move there.
memory = mmap.mmap(-1, count * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
with contextlib.suppress(OSError):  # a kernel without huge pages
    # Huge pages would be in place before anybody looks for signals.
    memory.madvise(mmap.MADV_NOHUGEPAGE)
array = np.frombuffer(memory, np.uint8)
array[:] = 1
mp.move(array, node).raise_for_status()
once = np.arange(array.ctypes.data, array.ctypes.data + array.nbytes, PAGE, dtype=np.uintp)


def listed(times):
    pages = np.tile(once, times)
    return pages, np.full(len(pages), node, np.int32), np.full(len(pages), 77, np.int32)


def move(threads, pause):
    return _core.move_pages(pages, nodes, status, 0, mp.MPOL_MF_MOVE, pause, threads)
"""
FORK = """
parent, children = os.getpid(), []

def pause():
    if not children:
        children.append(os.fork())
        if not children[0] and {raises}:
            raise SystemExit(3)

# Long enough for a pause, and not for ever on a slow machine.
for times in (4, 8, 16, 32, 64):
    pages, nodes, status = listed(times)
    failure = move(3, pause)
    if children:
        break
if os.getpid() != parent:
    if {raises}:
        error, told = failure
        nothing = told == 0 and (status == mp.PageStatus.NOT_ATTEMPTED).all()
        # On a busy machine, the pause may come when all threads have moved their parts.
        everything = told == len(pages) and (status == node).all()
        os._exit(0 if isinstance(error, SystemExit) and (nothing or everything) else 1)
    os._exit(0 if failure is None and (status == node).all() else 2)
assert failure is None
assert (status == node).all()
assert children, "there was no pause: the trial tested nothing"
pid, ended = os.waitpid(children[0], 0)
assert os.waitstatus_to_exitcode(ended) == 0, ended
"""
FORK_OF_A_QUERY = """
import signal
parent, children = os.getpid(), []

def pause():
    if not children:
        children.append(os.fork())
        if not children[0]:
            # In case it waits for threads that it does not have.
            signal.alarm(600)
            if {raises}:
                raise SystemExit(3)

for times in (4, 8, 16, 32, 64):
    rows = np.full(times, array.ctypes.data, np.uintp), np.full(times, count)
    failure, _, pages, status, _ = _core.survey(
        *rows, 0, mp.MPOL_MF_MOVE, 3, None, 0, True, False, pause
    )
    if children:
        break
whole = pages.sum() == times * count
if os.getpid() != parent and {raises}:
    honest = set(status.tolist()) <= {{node, _core.NOT_ATTEMPTED}}
    os._exit(0 if whole and honest and isinstance(failure, SystemExit) else 1)
if os.getpid() != parent:
    os._exit(0 if whole and failure is None and (status == node).all() else 2)
assert whole and failure is None and (status == node).all()
assert children, "there was no pause: the trial tested nothing"
pid, ended = os.waitpid(children[0], 0)
assert os.waitstatus_to_exitcode(ended) == 0, ended
"""
DAEMON = """
import threading, time
begun = [threading.Event(), threading.Event()]

def query(event):
    while True:
        mp.move_pages(once)
        event.set()

for each in begun:
    threading.Thread(target=query, args=(each,), daemon=True).start()
for each in begun:
    assert each.wait(600)
# Both are in a call when the interpreter ends, and come back from it soon after.
time.sleep(0.01)
"""
NO_THREADS = """
pauses = []
for times in (4, 8, 16, 32, 64):
    pages, nodes, status = listed(times)
    virtual = int(open("/proc/self/statm").read().split()[0]) * PAGE
    # Room for the drivers, and for no stack of a thread.
    resource.setrlimit(resource.RLIMIT_AS, (virtual + (4 << 20), resource.RLIM_INFINITY))
    failure = move(6, lambda: pauses.append(1))
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert failure is None
    if len(pauses) > 1:
        break
assert (status == node).all()
assert len(pauses) > 1, "nobody looked for signals"
"""


def run(program):
    # In a guest, the import of numpy alone may take a minute.
    done = subprocess.run(
        [sys.executable, "-c", SETUP + program], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", [FORK, FORK_OF_A_QUERY], ids=["move", "query"])
@pytest.mark.parametrize("raises", [False, True])
def test_a_child_forked_meanwhile_goes_on_by_itself(program, raises):
    run(program.format(raises=raises))


@pytest.mark.skipif(
    system.SANITIZED, reason="needs address space to be short, which a sanitizer cannot bear"
)
def test_without_threads_the_calling_thread_does_all_and_looks_for_signals():
    run(NO_THREADS)


def test_a_daemon_thread_in_a_call_does_not_keep_the_program_from_ending():
    run(DAEMON)
