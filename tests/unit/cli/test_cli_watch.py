"""``movepages watch``: what it prints, and how it ends."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from cli_fixtures import json_of
from movepages.cli import watch
from support import processes

pytestmark = pytest.mark.host

MIB = 1 << 20


@pytest.fixture
def other():
    with processes.child(lambda: None) as child:
        yield child


@pytest.fixture
def after_sample(monkeypatch):
    """Return a function that takes what to do once so many samples were shown."""

    def do(number, act):
        shown, show = [], watch.print_json

        def print_json(*arguments, **how):
            show(*arguments, **how)
            shown.append(arguments)
            if len(shown) == number:
                act()

        monkeypatch.setattr(watch, "print_json", print_json)

    return do


def test_watch_reports_changes_until_the_process_ends(after_sample, tmp_path, capsys):
    code = (
        "import os, sys, time, numpy\n"
        "kept = []\n"
        "while not os.path.exists(sys.argv[1]):\n"
        "    kept.append(numpy.ones(1 << 17)); time.sleep(0.03)\n"
    )
    enough = tmp_path / "enough"
    after_sample(12, enough.touch)
    with subprocess.Popen([sys.executable, "-c", code, enough]) as process:
        found = json_of(capsys, "watch", str(process.pid), "--interval=0.1")
    assert process.returncode == 0
    assert len(found) >= 12
    rates = [sum(each["bytes_per_second"].values()) for each in found]
    assert rates[0] == 0
    assert max(rates) > MIB


@pytest.mark.parametrize("known", [True, False], ids=["pidfd", "no pidfd"])
def test_watch_ends_with_the_process_within_a_long_interval(
    known, after_sample, monkeypatch, capsys
):
    def unknown(_pid):
        raise OSError(errno.ENOSYS, "as on Linux 5.2")

    if not known:
        monkeypatch.setattr(os, "pidfd_open", unknown)
    with subprocess.Popen(["sleep", "600"]) as process:

        def end():
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        # Within the wait for the second sample, or before it where that is all that shows the end.
        during = threading.Timer(0.3, end)
        after_sample(1, during.start if known else end)
        start = time.monotonic()
        found = json_of(capsys, "watch", str(process.pid), f"--interval={60 if known else 1.5}")
        assert time.monotonic() - start < 50
        if known:
            during.join()
    assert len(found) == 1


def heed_sigint():
    """Undo what a shell does to its background processes: they would ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def watching(other):
    """Yield a process that watches the other, after its first output."""
    start = [sys.executable, "-P", "-m", "movepages", "watch", str(other.pid), "--interval=0.05"]
    pipe = subprocess.PIPE
    with subprocess.Popen(start, stdout=pipe, stderr=pipe, preexec_fn=heed_sigint) as process:
        try:
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_watch_ends_after_its_count(other, capsys):
    assert len(json_of(capsys, "watch", str(other.pid), "--count=2", "--interval=0.05")) == 2


def test_watch_ends_on_ctrl_c(watching):
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=300)
    assert (watching.returncode, err) == (130, b"movepages: interrupted\n")


def test_watch_ends_when_its_reader_does(watching):
    watching.stdout.close()
    assert watching.wait(timeout=300) == 141
    assert watching.stderr.read() == b""
