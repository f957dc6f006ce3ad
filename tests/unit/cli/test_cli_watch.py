"""``movepages watch``: what it prints, and how it ends."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from cli_fixtures import json_of
from support import processes

pytestmark = pytest.mark.host

MIB = 1 << 20


@pytest.fixture
def other():
    with processes.child(lambda: None) as child:
        yield child


def test_watch_reports_changes_until_the_process_ends(capsys):
    code = (
        "import time, numpy\n"
        "kept = []\n"
        "for _ in range(40):\n"
        "    kept.append(numpy.ones(1 << 17)); time.sleep(0.03)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        found = json_of(capsys, "watch", str(process.pid), "--interval=0.1")
    assert process.returncode == 0
    rates = [sum(each["bytes_per_second"].values()) for each in found]
    assert rates[0] == 0
    assert max(rates) > MIB


@pytest.mark.parametrize("known", [True, False], ids=["pidfd", "no pidfd"])
def test_watch_ends_with_the_process_within_a_long_interval(known, monkeypatch, capsys):
    def unknown(_pid):
        raise OSError(errno.ENOSYS, "as on Linux 5.2")

    if not known:
        monkeypatch.setattr(os, "pidfd_open", unknown)
    with subprocess.Popen(["sleep", "1"]) as process:
        start = time.monotonic()
        found = json_of(capsys, "watch", str(process.pid), f"--interval={30 if known else 1.5}")
        assert time.monotonic() - start < 15
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
