"""Arrays put on chosen nodes, and threads bound to chosen CPUs, without the package."""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from . import balancing, memory, nodes, policies, system
from .memory import PAGE
from .processes import PATIENCE_S

MIB = 1 << 20
_DTYPES = (np.uint8, np.float32, np.float64, np.int16, np.complex128)
# One clock tick of /proc/PID/stat is 10 ms.
_BUSY_S = 0.025
# advise() takes a thread for a helper if it used less than 1 % of the busiest thread's CPU time.
_BUSY_SHARE = 0.03
_TRIES = 20


def cpus_of(node: int) -> tuple[int, ...]:
    """Return the CPUs of a node that this process could run on."""
    return nodes.parse_list((nodes.SYSFS / f"node{node}" / "cpulist").read_text())


def cpu_nodes() -> list[int]:
    """Return the nodes that have CPUs and memory."""
    return [node for node in nodes.allowed() if cpus_of(node)]


def every_cpu() -> tuple[int, ...]:
    """Return the CPUs of all nodes."""
    return tuple(cpu for node in cpu_nodes() for cpu in cpus_of(node))


def bind_threads(cpus: Iterable[int]) -> None:
    """Bind each thread of this process to CPUs."""
    for tid in os.listdir("/proc/self/task"):
        # A thread of an earlier test may end meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(tid), cpus)


class Team:
    """Threads that have used CPU time and then wait until `end`.

    Parameters
    ----------
    cpus : sequence of sequences of int
        The CPUs of each thread.
    """

    def __init__(self, cpus: Iterable[Iterable[int]]) -> None:
        self._members = []
        for each in cpus:
            asked = queue.SimpleQueue()
            thread = threading.Thread(target=self._work, args=(each, asked), daemon=True)
            thread.start()
            self._members.append((thread, asked))
            self._use(asked, _BUSY_S)

    def keep_up(self) -> None:
        """Have each thread use enough CPU time, for what the calling thread has used by now.

        With less, it would count as a helper. So would only some of them where the machine pauses
        at times, because a pause counts as CPU time of the thread that was running.
        """
        for _, asked in self._members:
            self._use(asked, _BUSY_SHARE * time.thread_time())

    @staticmethod
    def _use(asked: queue.SimpleQueue, seconds: float) -> None:
        done = threading.Event()
        asked.put((seconds, done))
        assert done.wait(PATIENCE_S)

    @staticmethod
    def _work(cpus: Iterable[int], asked: queue.SimpleQueue) -> None:
        os.sched_setaffinity(0, cpus)
        work = np.ones(8192)
        while (one := asked.get()) is not None:
            seconds, done = one
            while time.thread_time() < seconds:
                np.sqrt(work, out=work)
            done.set()

    def end(self) -> None:
        """End the threads."""
        for thread, asked in self._members:
            asked.put(None)
            thread.join()


def array_of(random: np.random.Generator, nbytes: int, *, huge: bool, whole: bool) -> np.ndarray:
    """Return an untouched array of a random type and shape, 1-d, C order or Fortran order.

    Parameters
    ----------
    random : Generator
        Source of the choices.
    nbytes : int
        Size, from which less than a row is left out.
    huge : bool
        In huge pages.
    whole : bool
        From the first byte to the last of a mapping of its own. Otherwise it may begin within a
        page, as arrays of numpy do.
    """
    ahead = 0 if whole or huge else 16 * int(random.integers(0, 200))
    raw = memory.anonymous(nbytes + (PAGE if ahead else 0), huge=huge)
    flat = raw[ahead : ahead + nbytes].view(_DTYPES[random.integers(len(_DTYPES))])
    if whole:
        return flat
    order = random.choice(["1-d", "C", "F"])
    if order == "1-d":
        return flat
    rows = int(random.integers(150, 300))
    shape = (rows, len(flat) // rows)
    return flat[: shape[0] * shape[1]].reshape(shape, order=order)


def fill(array: np.ndarray) -> None:
    """Touch every page of a contiguous array."""
    array.T[...] = 1


def put(array: np.ndarray, wanted: np.ndarray, how: str = "moved") -> None:
    """Fill an untouched array, with each of its pages on a node.

    Parameters
    ----------
    array : ndarray
        Contiguous memory.
    wanted : ndarray of int32
        The node of each page. Pages of one huge page must agree.
    how : {"moved", "touched", "bound"}
        Moved after a first touch anywhere; first touched by this thread on a CPU of the node, if
        it is one node with a CPU; allocated there by mbind(2), whose policy stays.
    """
    alone = int(wanted[0]) if (wanted == wanted[0]).all() else None
    pages = memory.pages_of(array)
    if how == "touched" and alone is not None and cpus_of(alone):
        with running_on(cpus_of(alone)):
            fill(array)
    elif how == "bound" and alone is not None:
        start = array.ctypes.data // PAGE * PAGE
        mask = system.node_mask(alone)
        system.syscall(
            system.SYS_MBIND, start, len(pages) * PAGE, system.MPOL_BIND, mask,
            system.MAX_NODES + 1, 0,
        )  # fmt: skip
        fill(array)
    else:
        fill(array)
        wanted = np.ascontiguousarray(wanted, np.int32)
        for _ in range(_TRIES):
            # Pages that wait in a list of a CPU are busy for a moment.
            status = balancing.bare_call(pages, wanted)
            if (status == wanted).all():
                return
            time.sleep(0.05)
        raise AssertionError(f"not on their nodes: {np.unique(status)}")


def as_huge_pages(array: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return nodes on which the pages of each huge page agree: that of its middle."""
    unit = memory.huge_page_size() // PAGE
    found = wanted.copy()
    first = array.ctypes.data // PAGE % unit
    for start in range(-first, len(wanted), unit):
        middle = min(max(start + unit // 2, 0), len(wanted) - 1)
        found[max(start, 0) : start + unit] = wanted[middle]
    return found


@contextlib.contextmanager
def running_on(cpus: Iterable[int]) -> Iterator[None]:
    """Bind this thread within a block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def write_file(path: os.PathLike, nbytes: int, node: int) -> None:
    """Write a file whose pages in the page cache are on a node."""
    with policies.thread_has(system.MPOL_BIND, node), open(path, "wb") as target:
        target.write(np.arange(nbytes, dtype=np.uint8).tobytes())
        target.flush()
        os.fsync(target.fileno())


def bring(pid: int, node: int) -> None:
    """Move the memory of a process to a node; pages that it shares may stay."""
    system.migrate(pid, [each for each in nodes.allowed() if each != node], node)


def migrations() -> int:
    """Return how often this thread has changed its CPU, 0 if the kernel does not tell."""
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/thread-self/sched").read_text().splitlines():
            if line.startswith("se.nr_migrations"):
                return int(line.split()[-1])
    return 0


def current_cpu() -> int:
    """Return the CPU on which this thread was last, by /proc."""
    return int(Path("/proc/thread-self/stat").read_text().rpartition(")")[2].split()[36])
