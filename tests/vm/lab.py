"""Run the test suite on real kernels with four NUMA nodes, in emulated guests on this machine.

python tests/vm/lab.py                                 the suite, on every default kernel
python tests/vm/lab.py -- tests/numa -k fork           a selection
python tests/vm/lab.py --kernel newest                 on Debian's newest kernel
python tests/vm/lab.py --command 'cat /proc/version'   any command
"""

import argparse
import fcntl
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import bytecode
import guest
import kernels
import outcome

TICK_S = 0.2
REPORT_EVERY_S = 30
CONSOLE_LINES = 80
# How often guests with parallel CPUs may boot.
BOOTS = 4


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; arguments after ``--`` go to pytest."""
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "pytest",
        nargs="*",
        metavar="-- PYTEST_ARG",
        help="arguments for pytest instead of the whole suite",
    )
    add("--command", metavar="CMD", help="run this shell command in the guests instead of pytest")
    add(
        "--kernel",
        action="append",
        metavar="META",
        help="Debian meta package, or 'newest' for Debian unstable's kernel (repeatable)",
    )
    add(
        "--append",
        action="append",
        default=[],
        metavar="PARAM",
        help="kernel parameter (repeatable)",
    )
    add(
        "--icount",
        action="store_true",
        help="one CPU, one nanosecond per instruction, for counting",
    )
    add(
        "--avx",
        action="store_true",
        help="processors with AVX, which some libraries need; numpy does without",
    )
    add(
        "--devices",
        action="store_true",
        help="with devices near three of the nodes, and a table of performance (HMAT)",
    )
    add(
        "--parallel",
        action="store_true",
        help="CPUs that run at the same time, to measure threads; a boot may fail, and is repeated",
    )
    add(
        "--timeout",
        type=float,
        default=3600,
        metavar="S",
        help="seconds for each guest (%(default)s)",
    )
    jobs = min(2, os.cpu_count() or 1)
    add("--jobs", type=int, default=jobs, metavar="N", help="guests at a time (%(default)s)")
    results = guest.ROOT / ".lab"
    add("--results", type=Path, default=results, metavar="DIR", help="result folder (.lab)")
    options = parser.parse_args(argv)
    if options.command is not None and options.pytest:
        parser.error("--command runs instead of pytest: leave out one of the two")
    if options.devices and options.icount:
        parser.error("--devices needs two CPUs, and --icount has one: leave out one of the two")
    if options.parallel and options.icount:
        parser.error("--icount has one CPU, and --parallel needs two: leave out one of the two")
    if options.jobs < 1:
        parser.error(f"--jobs is {options.jobs}, expected 1 or more")
    options.kernel = options.kernel or list(kernels.DEFAULT_METAS)
    options.results = options.results.resolve()
    # The path is passed to the guest as a kernel parameter.
    if not re.fullmatch(r"[^\s=\"]+", str(options.results)):
        parser.error(f"--results is {options.results}, expected a path without spaces, = or quotes")
    return options


class Stop:
    """Remembers the first signal that asked the lab to stop.

    An exception could strike after a guest was started and before it was recorded. That guest
    would stay running.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._note)

    def _note(self, number: int, _frame: object) -> None:
        self.signal = self.signal or number


@contextmanager
def sole_user(results: Path) -> Iterator[None]:
    """Lock the result folder, so that two labs never read each other's results."""
    results.mkdir(parents=True, exist_ok=True)
    with (results / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"lab: {results} is in use by another lab; name another with --results")
        yield


class Follower:
    """Prints a growing log as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def show(self) -> None:
        """Print what is new in the log."""
        if self._path.exists():
            with self._path.open("rb") as log:
                log.seek(self._at)
                fresh = log.read()
            self._at += len(fresh)
            sys.stdout.buffer.write(fresh)
            sys.stdout.buffer.flush()


def run_guests(
    found: list[kernels.Kernel], options: argparse.Namespace, stop: Stop
) -> Iterator[tuple[outcome.Outcome, Path]]:
    """Boot every kernel, some at a time, and yield each outcome with its result folder.

    A signal ends this early, without the guests that still ran.
    """
    machine = guest.Machine(
        tuple(options.append), options.icount, options.avx, options.devices, options.parallel
    )
    waiting, running = list(found), []
    boots_left = BOOTS - 1 if machine.parallel else 0
    reported = time.monotonic()
    alone = len(found) == 1
    follower = Follower(options.results / found[0].version / outcome.OUTPUT) if alone else None
    try:
        while (waiting or running) and stop.signal is None:
            while waiting and len(running) < options.jobs:
                kernel = waiting.pop(0)
                folder = options.results / kernel.version
                command = options.command
                if command is None:
                    command = guest.pytest_command(folder, options.pytest)
                running.append(guest.Guest(kernel, folder, command, machine))
            time.sleep(TICK_S)
            for each in list(running):
                each.pump()
                late = each.seconds > options.timeout
                if late or not each.running():
                    running.remove(each)
                    killed = f"timed out after {options.timeout:g} s" if late else ""
                    result = each.close(killed)
                    if outcome.died_in_boot(result, each.folder) and boots_left:
                        boots_left -= 1
                        waiting.append(each.kernel)
                        continue
                    if follower:
                        follower.show()
                    yield result, each.folder
            if follower:
                follower.show()
            elif time.monotonic() - reported > REPORT_EVERY_S:
                reported = time.monotonic()
                for each in running:
                    version, seconds = each.kernel.version, each.seconds
                    print(f"{version}: running, {seconds:.0f} s", file=sys.stderr, flush=True)
    finally:
        for each in running:
            each.close("stopped")


def report(result: outcome.Outcome, folder: Path, shown: bool) -> None:
    """Print a guest's output, unless it was shown already, and the console of a guest that died."""
    if not shown:
        print(f"==== {result.version}: output")
        print(outcome.read_text(folder / outcome.OUTPUT), end="")
    if result.status is None:
        print(f"==== {result.version}: {result.reason}; the end of {folder / outcome.CONSOLE}")
        print(outcome.tail(folder / outcome.CONSOLE, CONSOLE_LINES))
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    """Run the lab; return 0 only if the command exited with 0 in every guest."""
    options = parse_arguments(argv)
    stop = Stop()
    with sole_user(options.results):
        try:
            found = kernels.install(options.kernel, kernels.cache_folder())
            bytecode.write(options.pytest if options.command is None else None)
            outcomes = []
            with closing(run_guests(found, options, stop)) as results:
                for result, folder in results:
                    report(result, folder, shown=len(found) == 1)
                    outcomes.append(result)
        except (kernels.KernelError, FileNotFoundError) as error:
            sys.exit(f"lab: {error}")
    if outcomes:
        asked = [each.version for each in found]
        outcomes.sort(key=lambda each: asked.index(each.version))
        print(f"\n{outcome.table(outcomes)}")
    if stop.signal is not None:
        print(f"lab: stopped by {signal.Signals(stop.signal).name}", file=sys.stderr)
        return 128 + stop.signal
    return 0 if all(each.ok for each in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
