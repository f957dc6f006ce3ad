"""A command under ``movepages run --report``: signals, and a terminal with job control."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time
import traceback
from pathlib import Path

import pytest

from movepages.processes.execution import Running
from support.forks import fork
from support.processes import PATIENCE_S

pytestmark = pytest.mark.host

RUN = [sys.executable, "-P", "-m", "movepages", "run", "--report", "-o", os.devnull, "--"]
# Counts the signals that it gets until each of some has come, and a while longer, in which one of
# them would come a second time.
COUNTS = """
import signal, sys, time
wanted = set(map(int, sys.argv[1].split(",")))
counts = {}
def count(number, _frame):
    counts[number] = counts.get(number, 0) + 1
for number in wanted:
    signal.signal(number, count)
print("ready", flush=True)
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until and not wanted <= counts.keys():
    time.sleep(0.01)
time.sleep(1)
print("counts", counts, flush=True)
"""


@pytest.fixture(autouse=True)
def _no_signal_is_ignored():
    """Let commands have signals that a script's jobs in the background, or nohup, ignore."""
    those = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    ignored = [n for n in those if signal.getsignal(n) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def counting(*numbers):
    listed = ",".join(str(int(number)) for number in numbers)
    return [*RUN, sys.executable, "-c", COUNTS, listed, str(PATIENCE_S / 2)]


def test_each_signal_is_passed_on_once():
    sent = [
        signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2, 40,
        signal.SIGUSR1,
    ]  # fmt: skip
    with subprocess.Popen(counting(*sent), stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout.readline() == "ready\n"
        for number in sent:
            started.send_signal(number)
        told = started.stdout.read()
    assert eval(told.removeprefix("counts ")) == {int(number): 1 for number in sent}
    assert started.returncode == 0


def shell(command):
    """Act as a shell: run a job in the foreground, tell when it stops, and let it continue."""
    job = fork()
    if not job:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    _, status = os.waitpid(job, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        tell("stopped by", os.WSTOPSIG(status))
        # The terminal's signal stops each by itself.
        until = time.monotonic() + PATIENCE_S / 2
        while (
            states := "".join(map(state_of, group_of(job)))
        ) != "TT" and time.monotonic() < until:
            time.sleep(0.01)
        tell("states", states)
        os.killpg(job, signal.SIGCONT)
        os.kill(job, signal.SIGUSR1)
        _, status = os.waitpid(job, 0)
    tell("ended with", os.waitstatus_to_exitcode(status))
    os._exit(0)


def tell(*words):
    # print() would write to where pytest keeps the output.
    os.write(1, " ".join(map(str, words)).encode() + b"\n")


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def group_of(job):
    for name in filter(str.isdecimal, os.listdir("/proc")):
        # Processes of other programs end meanwhile.
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(int(name)) == job:
                yield name


def on_a_terminal(command, key):
    """Return what a terminal shows when a key is typed once the command is ready."""
    pid, terminal = fork(pty.fork)
    if not pid:
        signal.alarm(PATIENCE_S)
        try:
            shell(command)
        finally:
            # What it raises must not have this copy of pytest run the tests that are left.
            tell(traceback.format_exc())
            os._exit(1)
    shown, typed = b"", False
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # The other end is closed.
            break
        if not part:
            break
        shown += part
        if b"ready" in shown and not typed:
            typed = True
            os.write(terminal, termios.tcgetattr(terminal)[6][key])
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode()


def test_ctrl_c_reaches_the_command_once():
    shown = on_a_terminal(counting(signal.SIGINT), termios.VINTR)
    assert re.search(r"counts \{2: 1\}", shown), shown
    assert "ended with 0" in shown


def test_a_command_that_ctrl_c_ends():
    command = [*RUN, "sh", "-c", f"echo ready; exec sleep {PATIENCE_S}"]
    assert f"ended with {-signal.SIGINT}" in on_a_terminal(command, termios.VINTR)


def test_a_signal_to_both_interrupts_nothing_once_the_command_has_ended():
    running = Running(["sh", "-c", "kill -INT $$"], lambda: None)
    with running.started():
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        running.wait()
    assert running.status == -signal.SIGINT


def test_a_signal_while_the_command_starts_reaches_it():
    """As if another thread, such as one of numpy's, took the signal: Python runs its handler."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    running = Running(
        ["sleep", str(PATIENCE_S)], lambda: signal.pthread_kill(other.ident, signal.SIGTERM)
    )
    try:
        with running.started():
            running.wait()
    finally:
        over.set()
        other.join()
    assert running.status == -signal.SIGTERM


def test_ctrl_z_stops_both_and_both_continue():
    shown = on_a_terminal(counting(signal.SIGUSR1), termios.VSUSP)
    assert f"stopped by {signal.SIGTSTP:d}" in shown, shown
    assert re.search("states TT\\r?$", shown, re.MULTILINE), shown
    assert re.search(r"counts \{10: 1\}", shown), shown
    assert "ended with 0" in shown
