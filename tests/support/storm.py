"""Helpers of tests in which something else goes on while pages move."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import numpy as np

# A run that takes longer than this hangs, however slow the machine.
PATIENCE_S = 180


@contextlib.contextmanager
def meanwhile(function: Callable[..., object], *arguments: object) -> Iterator[None]:
    """Run a function in a second thread; raise here what it raises."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            function(*arguments)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert not failures, failures


@contextlib.contextmanager
def adding_up(numbers: np.ndarray) -> Iterator[list[int]]:
    """Have a thread add 1 to all numbers, over and over; the list has how often, at the end."""
    stop, done = threading.Event(), list[int]()

    def add() -> None:
        turns = 0
        while not stop.is_set():
            np.add(numbers, 1, out=numbers)
            turns += 1
        done.append(turns)

    with meanwhile(add):
        try:
            yield done
        finally:
            stop.set()


def targets(
    random: np.random.Generator, here: int, there: int, count: int
) -> tuple[int | np.ndarray, np.ndarray]:
    """Return one target for all, or one per page in runs or mixed; and the target of each page."""
    if random.random() < 0.5:
        return there, np.full(count, there, np.int32)
    row = int(random.choice([1, 7, 64, 512]))
    mixed = random.choice([here, there], -(-count // row)).repeat(row)[:count].astype(np.int32)
    return mixed, mixed
