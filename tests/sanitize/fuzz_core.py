"""Call every function of the core with invalid and valid arguments, for a while.

PYTHONPATH=tests python tests/sanitize/fuzz_core.py [--seconds N] [--seed N] [--call N]

Each call must return or raise. A crash or a report of the sanitizer ends the process. The number of
the call is printed then; `--seed` and `--call` repeat that call alone.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import hostile
import numpy as np

from movepages import _core

# A longer call is interrupted, and must react within SECONDS_TO_HEAR.
SECONDS_A_CALL = 0.5
SECONDS_TO_HEAR = 5.0
# A process that has lost its stack faults again and again, and never ends by itself.
SECONDS_TO_END = 120.0
MULTIARRAY = (getattr(np, "_core", None) or np.core).multiarray


class TooLongError(Exception):
    """Raised by the alarm signal."""


def exported() -> set[str]:
    return {name for name in dir(_core) if callable(getattr(_core, name)) and name[0] != "_"}


def enter(made: Any, h: hostile.Hostile) -> None:
    """Enter and leave a `with` type in random order, as no `with` block would."""
    for _ in range(h.random.randrange(4)):
        getattr(made, h.among(["__enter__", "__exit__"]))(*h.among([(), (), (None, None, None)]))
        np.ones(h.among([1, 100, 10**5]))


def call(name: str, h: hostile.Hostile) -> None:
    arguments = list(hostile.ARGUMENTS[name](h))
    if h.one_in(20):
        arguments.append(h.anything())
    elif arguments and h.one_in(20):
        del arguments[h.random.randrange(len(arguments))]
    elif arguments and h.one_in(10):
        arguments[h.random.randrange(len(arguments))] = h.anything()
    hostile.keep_memory(name, arguments)
    made = getattr(_core, name)(*arguments)
    if name in ("FirstTouch", "Heap", "Setting"):
        enter(made, h)


def timed_call(name: str, h: hostile.Hostile) -> str:
    """Make one call, interrupt it if it takes long, and return its result or error type."""
    faulthandler.dump_traceback_later(SECONDS_A_CALL + 10 * SECONDS_TO_HEAR, exit=True)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_A_CALL)
    try:
        call(name, h)
        return "returned"
    except (SystemError, RecursionError):
        raise
    except Exception as error:
        return type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def try_one(seed: int, number: int) -> tuple[str, str]:
    """Make one call; return the function and its result or error type."""
    h = hostile.Hostile(f"{seed}/{number}")
    name = sorted(hostile.ARGUMENTS)[number % len(hostile.ARGUMENTS)]
    start, cpu_start = time.monotonic(), time.process_time()
    try:
        came = timed_call(name, h)
    except TooLongError:
        # The signal arrived after the end of the call.
        came = TooLongError.__name__
    # On a busy machine a call waits for its turn: what it did not use of the CPUs does not count.
    # One that sleeps through the signal is ended by faulthandler.
    took = min(time.monotonic() - start, time.process_time() - cpu_start)
    assert took < SECONDS_A_CALL + SECONDS_TO_HEAR, f"{name} ignored the signal for {took:.1f} s"
    handler = MULTIARRAY.get_handler_name()
    assert handler == "default_allocator", f"{name} left numpy with {handler}"
    return name, came


def interrupt(_signal: int, _frame: object) -> None:
    raise TooLongError


def run(seed: int, seconds: float, only: int | None, progress: str) -> None:
    faulthandler.enable()
    signal.signal(signal.SIGALRM, interrupt)
    with open(progress, "r+b") as file:
        noted = mmap.mmap(file.fileno(), 8)
    came: collections.Counter[tuple[str, str]] = collections.Counter()
    end, number = time.monotonic() + seconds, only or 0
    while time.monotonic() < end or number % len(hostile.ARGUMENTS):
        noted[:] = number.to_bytes(8, "little")
        came[try_one(seed, number)] += 1
        if only is not None:
            break
        number += 1
    for name in sorted(hostile.ARGUMENTS):
        told = {how: n for (of, how), n in sorted(came.items()) if of == name}
        print(f"{name}: " + ", ".join(f"{n} {how}" for how, n in told.items()))
    print(f"fuzz_core: {sum(came.values())} calls with seed {seed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--call", type=int)
    parser.add_argument("--progress", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.progress:
        run(given.seed, given.seconds, given.call, given.progress)
    else:
        watch(given.seed, given.seconds)


def watch(seed: int, seconds: float) -> None:
    """Run the calls in a child process; if it crashes, report the call that did it."""
    if exported() != set(hostile.ARGUMENTS):
        sys.exit(
            "fuzz_core: expected hostile.ARGUMENTS to list the functions of the core, differs by "
            f"{exported() ^ set(hostile.ARGUMENTS)}"
        )
    print(f"fuzz_core: seed {seed}", flush=True)
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8))
        file.flush()
        own = [f"--seed={seed}", f"--progress={file.name}"]
        try:
            subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], *own],
                check=True,
                timeout=seconds + SECONDS_TO_END,
            )
        except subprocess.SubprocessError as error:
            file.seek(0)
            number = int.from_bytes(file.read(8), "little")
            name = sorted(hostile.ARGUMENTS)[number % len(hostile.ARGUMENTS)]
            sys.exit(f"fuzz_core: {name}: {error}: --seed {seed} --call {number}")


if __name__ == "__main__":
    main()
