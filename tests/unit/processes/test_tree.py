"""The tree below a process, by the kernel's lists of children and by all of /proc."""

import os
import subprocess
import sys

import pytest

from movepages.processes import tree
from support import processes

# Starts a child that starts a child; each prints its pid and waits for the end of its input.
CHAIN = """
import os, subprocess, sys, threading
print(os.getpid(), flush=True)
depth = int(sys.argv[2])
if depth:
    command = [sys.executable, "-c", sys.argv[1], sys.argv[1], str(depth - 1)]
    start = lambda: subprocess.Popen(command)
    if depth == 2:
        # A child belongs to the thread that started it.
        thread = threading.Thread(target=lambda: (start(), threading.Event().wait()), daemon=True)
        thread.start()
    else:
        start()
sys.stdin.read()
"""


@pytest.fixture(params=["lists of children", "all of /proc"])
def way(request, monkeypatch):
    if request.param == "all of /proc":
        monkeypatch.setattr(tree, "is_there", lambda _path: False)


@pytest.mark.usefixtures("way")
def test_children_of_children_and_of_threads():
    command = [sys.executable, "-c", CHAIN, CHAIN, "2"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as chain:
        pids = [int(chain.stdout.readline()) for _ in range(3)]
        assert tree.with_descendants([chain.pid]) == pids
        assert tree.with_descendants([pids[1]]) == pids[1:]
        assert tree.with_descendants([pids[2], pids[0]]) == [pids[2], pids[0], pids[1]]
        chain.stdin.close()


@pytest.mark.usefixtures("way")
def test_no_process():
    assert tree.with_descendants([]) == []
    assert tree.with_descendants([processes.dead_pid()])[1:] == []


def test_identity_tells_processes_apart():
    with processes.child() as one:
        first = tree.identity(one.pid)
        assert first == tree.identity(one.pid)
        assert first.start_time >= tree.identity(os.getpid()).start_time
    assert tree.identity(one.pid) is None
    assert tree.threads_of(one.pid) == []
    assert os.getpid() in tree.threads_of(os.getpid())


def test_names_may_contain_anything(tmp_path):
    program = tmp_path / "a) R 1 ("
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as sleeper:
        assert sleeper.pid in tree.with_descendants([os.getpid()])
        assert tree.identity(sleeper.pid).start_time > 0
        sleeper.kill()
