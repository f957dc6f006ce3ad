"""move(): migrate the pages of an array to other nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, SupportsIndex, TypedDict, Unpack, overload

from ..inputs.members import Members
from ..inputs.memory_of import memory_of
from ..layouts.by_member import MemberTarget, wanted_by
from ..pages.like import MemoryLike
from ..query.syscall import MPOL_MF_MOVE
from ..results.outcome import MoveResult
from ..system.threads import as_threads
from ..units import parse_rate, refuse_unknown
from .control import RetryPolicy, as_deadline
from .fast_path import placed_already
from .huge_page_targets import OnConflict
from .job import Job, OnError, warn_of_pages_elsewhere
from .progress import ProgressOption, as_progress

if TYPE_CHECKING:
    from .background import BackgroundMove

CONFLICTS = ("majority", "split", "raise")


class MoveOptions(TypedDict, total=False):
    """Optional arguments of `move`, except `background`."""

    flags: int
    retry: RetryPolicy | None
    on_conflict: OnConflict
    on_error: OnError
    progress: ProgressOption
    deadline: float | None
    limit: float | str | None
    threads: SupportsIndex | None


@overload
def move(
    a: MemoryLike,
    target: MemberTarget,
    *,
    background: Literal[False] = False,
    **options: Unpack[MoveOptions],
) -> MoveResult: ...
@overload
def move(
    a: MemoryLike,
    target: MemberTarget,
    *,
    background: Literal[True],
    **options: Unpack[MoveOptions],
) -> BackgroundMove: ...
def move(
    a: MemoryLike,
    target: MemberTarget,
    *,
    flags: int = MPOL_MF_MOVE,
    retry: RetryPolicy | None = None,
    on_conflict: OnConflict = "majority",
    on_error: OnError = "raise",
    progress: ProgressOption = None,
    deadline: float | None = None,
    limit: float | str | None = None,
    threads: SupportsIndex | None = None,
    background: bool = False,
) -> MoveResult | BackgroundMove:
    """Move the pages of `a` to other NUMA nodes; its contents and address stay the same.

    Parameters
    ----------
    a : object with memory
        As for `where`: an array, or an object with several arrays.
    target : int, array_like of int32 of shape (where(a).pages,), Layout, Placement or mapping
        One node for all pages, one node for each page in address order, a layout such as
        ``interleave([0, 1])``, or an earlier placement, which moves every page back. If `a` has
        several arrays, a layout acts on each of them separately; `together` makes it act on all of
        them as one. A mapping has a target for each member. Its keys are names of members or
        beginnings of their paths: ``{"encoder": 0, "encoder.layers.3": 1, "decoder": interleave([0,
        1])}``. If several keys match a member, the longest counts. The key ``...`` matches members
        that no other key matches: ``{"weights": 0, ...: 1}``. The key 0 stands for the name
        ``[0]``. A key that is ambiguous raises an error. The `Placements` that `where` returned
        move every member back. The part that `Placements.below` returns is a target for that part
        of the object.
    flags : int, default MPOL_MF_MOVE
        MPOL_MF_MOVE_ALL also moves pages that other processes map, and needs CAP_SYS_NICE.
    retry : RetryPolicy, optional
        Which failed pages are tried again, and how often; by default busy pages, up to twice.
    on_conflict : {"majority", "split", "raise"}
        What to do if the target cuts through a huge page, which moves as a whole:

        - "majority" moves it to the node that most of its pages are wanted on. A node that got less
          than its share has a better claim to the next huge page, so that the shares even out. The
          huge page's other pages count as `overruled`, the result is not `ok`, and a
          `LayoutWarning` says so.
        - "split" splits it into small pages and moves each where it is wanted. The kernel is told
          not to join them again (MADV_NOHUGEPAGE); `collapse` joins them. Huge pages that cannot be
          split (locked, shared with other processes, of files or hugetlbfs) move as with
          "majority".
        - "raise" raises ValueError before anything moves. It needs Linux 6.7, which shows where
          huge pages are.

        Some layouts put their borders between huge pages, and cut through none: `blocks`, `local`,
        `by_axis` over the slowest axis, and `interleave` and `weighted` without ``block=``.
    on_error : {"raise", "warn"}
        If a call fails as a whole: raise, or issue a `MovePagesWarning` and return the partial
        result.
    progress : callable or True, optional
        Called as ``progress(pages_done, pages)`` about every 25 ms. The move ends if it returns
        False. True draws a progress bar in a notebook, or on standard error if that is a terminal.
        It uses rich or tqdm if one of them is installed.
    deadline : float, optional
        Seconds after which the move ends.
    limit : float or str, optional
        Largest average bandwidth: bytes per second, "2GiB/s" or "500MB/s".
    threads : int, optional
        Number of threads that call the kernel; by default one for each 16 MiB, at most 16, and at
        most as many as the CPUs that this thread may run on. Each moves its own parts of the
        memory, of 64 pages or more; the result is the same as with one thread. If a sandbox refuses
        move_pages(2), one thread moves the memory by policies (see `Preflight.engine`).
    background : bool, default False
        Move in a thread, and return a `BackgroundMove` at once: a Future with ``progress`` and
        ``cancel()``. Invalid arguments still raise here.

    Returns
    -------
    MoveResult, or BackgroundMove with `background`
        Counts of pages moved, already there, failed by reason and not attempted. Pages that could
        not be moved raise no error: see ``raise_for_status``. The result for several arrays is the
        sum, in which shared pages count once; ``by_member`` has the result of each.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, `target` is not a target, or another argument is invalid. Nothing has
        moved.
    MovePagesError
        A call failed as a whole: a node does not exist, is not allowed or is full; there is no
        permission or no such process; the deadline has passed (also a TimeoutError); or `progress`
        ended the move. ``.result`` holds what had been done before the error.
    KeyboardInterrupt
        On Ctrl-C, with the partial outcome as ``.result``.

    Warns
    -----
    LayoutWarning
        Some pages were overruled or torn. The message gives their share and what to do about it. A
        move in the background issues no warning; see its result.

    Notes
    -----
    A page that `a` fills only in part moves with everything else in it; ``where(a)`` counts such
    pages as ``shared_edges``. Source: move_pages(2), ``do_pages_move`` in mm/migrate.c.

    Examples
    --------
    >>> a = np.ones(1 << 20)
    >>> node = min(where(a).bytes_per_node)
    >>> r = move(a, node)
    >>> r.moved + r.already_there + r.failed + r.not_attempted == r.pages
    True
    """
    is_plain = retry is None and progress is None and deadline is None and limit is None
    is_plain = is_plain and threads is None
    if is_plain and on_conflict == "majority" and on_error == "raise" and not background:
        placed = placed_already(a, target, flags)
        if placed is not None:
            return placed
    refuse_unknown("on_conflict", on_conflict, CONFLICTS)
    refuse_unknown("on_error", on_error, ("raise", "warn"))
    rate = None if limit is None else parse_rate(limit)
    turns = RetryPolicy() if retry is None else retry
    if not isinstance(turns, RetryPolicy):
        raise TypeError(
            f"retry: expected a RetryPolicy, such as RetryPolicy(attempts=5), got {retry!r}"
        )
    seconds = as_deadline(deadline)
    workers = None if threads is None else as_threads(threads)
    array, pages = memory_of(a)
    shown = as_progress(progress, pages.page_size)
    nodes = wanted_by(target, array, pages, keep=background)
    job = Job(
        kept=(a, array),
        pages=pages,
        target=nodes,
        members=array.footprints if isinstance(array, Members) else None,
        flags=flags,
        retry=turns,
        on_conflict=on_conflict,
        on_error=on_error,
        deadline=seconds,
        limit=rate,
        threads=workers,
        shown=shown,
    )
    if not background:
        result = job.run(shown)
        warn_of_pages_elsewhere(result)
        return result
    # A move in the foreground does not pay for the imports of threads.
    from .background import start

    return start(job.run, shown)
