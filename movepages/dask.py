"""Place and survey arrays on the workers of a Dask cluster; needs distributed (extra ``dask``)."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Collection
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from .cluster.dask_client import ask, refuse_unusable
from .cluster.members import Member, Survey
from .cluster.own_arrays import CONTAINERS, arrays_in, look, move_near
from .query.syscall import MPOL_MF_MOVE
from .system.refusals import Refusal
from .system.sysfs import TopologyError
from .system.topology_reader import topology

try:
    from dask.base import is_dask_collection
    from distributed import Client, Worker, WorkerPlugin, futures_of, wait
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in ("dask", "distributed"):
        raise
    raise ImportError(
        "movepages.dask needs the package distributed, which is not installed: "
        "pip install 'movepages[dask]'"
    ) from missing

__all__ = ["TOPIC", "Member", "PlacementPlugin", "Survey", "place", "survey"]

# The topic of the plugin's reports: client.get_events(TOPIC).
TOPIC = "movepages"


class PlacementPlugin(WorkerPlugin):
    """Move each array near its worker as soon as the worker holds it, and report to the client.

    ``client.register_plugin(PlacementPlugin())`` installs it on all workers, including those that
    start later. Each worker reports its machine when it starts. It then reports each task result
    that holds arrays far from the worker. ``client.get_events(movepages.dask.TOPIC)`` returns these
    reports.

    Parameters
    ----------
    flags : int, default MPOL_MF_MOVE
        As for `movepages.move`.

    Notes
    -----
    The thread that computes an array touches it first, mostly on the worker's own node. Such an
    array needs no move, only a query. Arrays that a worker reads or receives do move. If a worker
    is not pinned to one node, its arrays are spread over several: see `movepages.local`.

    Examples
    --------
    >>> began = client.register_plugin(PlacementPlugin())
    >>> ended = client.unregister_worker_plugin(PlacementPlugin.name)
    """

    name = "movepages"

    def __init__(self, flags: int = MPOL_MF_MOVE) -> None:
        self.flags = flags
        self._worker: Worker | None = None

    def setup(self, worker: Worker) -> None:
        """Report the worker's machine; Dask calls this when the worker starts."""
        self._worker = worker
        report = _plain(look(worker.address, []))
        machine = None
        # The report names the problem, and the plugin still serves the other workers.
        with Refusal(TopologyError, ValueError):
            machine = topology().as_dict()
        worker.log_event(TOPIC, {**report, "topology": machine})

    def transition(self, key: Any, start: str, finish: str, **_kwargs: Any) -> None:  # noqa: ARG002
        """Move a result that arrived in the worker's memory; Dask calls this for each task."""
        worker = self._worker
        if finish != "memory" or worker is None:
            return
        values = [*_held(worker, [key]).values()]
        if values and isinstance(values[0], (np.ndarray, *CONTAINERS)):
            # In its own thread, because this one serves the other workers.
            job = functools.partial(self._move_near, worker, values)
            worker.loop.add_callback(functools.partial(asyncio.to_thread, job))

    def _move_near(self, worker: Worker, values: list[Any]) -> None:
        found = move_near(worker.address, arrays_in(values), self.flags)
        if found.misplaced_bytes or found.problem:
            worker.loop.add_callback(worker.log_event, TOPIC, _plain(found))


def place(
    client: Client,
    collection: Any = None,
    *,
    flags: int = MPOL_MF_MOVE,
    timeout: float | None = None,
) -> Survey:
    """Move the arrays of a persisted collection near the workers that hold them.

    Parameters
    ----------
    client : distributed.Client
    collection : dask collection, futures, optional
        The result of ``x.persist()``; the call waits until it is computed. By default, everything
        that the workers hold now.
    flags : int, default MPOL_MF_MOVE
        As for `movepages.move`.
    timeout : float, optional
        Seconds to wait for the workers after the collection is computed. Workers that are busy when
        the time is up still complete their moves.

    Returns
    -------
    Survey
        What each worker holds of the collection afterwards, and why something did not move.

    Raises
    ------
    TypeError, ValueError
        `collection` is not a dask collection, was not persisted, or has failed tasks. Nothing has
        moved.
    KeyboardInterrupt
        On Ctrl-C. If the workers have been asked already, ``.result`` holds the answers so far.

    Examples
    --------
    >>> chunk = client.submit(np.ones, 100_000)
    >>> place(client, chunk).misplaced_bytes
    0
    """
    refuse_unusable(client, timeout)
    if collection is None:
        return ask(client, timeout, _place_here, keys=None, flags=flags)
    futures = _futures_of(collection)
    wait(futures)  # type: ignore[no-untyped-call]
    _refuse_failed(futures)
    return ask(client, timeout, _place_here, keys=[each.key for each in futures], flags=flags)


def survey(client: Client, *, timeout: float | None = 60) -> Survey:
    """Query where the arrays of all workers are.

    Parameters
    ----------
    client : distributed.Client
    timeout : float or None, default 60
        Seconds to wait for the workers' answers.

    Returns
    -------
    Survey
        One `Member` for each worker: its host, the nodes of its CPUs, the bytes on each node of the
        arrays in its memory (not those spilled to disk), and the bytes that are absent or
        elsewhere. A worker that did not answer, in time or at all, is listed with a ``problem``.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, with the answers so far as ``.result``.

    Examples
    --------
    >>> print(survey(client))                                       # doctest: +ELLIPSIS
    member ... host ... pid ... its nodes ... memory ... absent ... elsewhere
    tcp://...
    """
    refuse_unusable(client, timeout)
    return ask(client, timeout, _look_here)


def _futures_of(collection: Any) -> list[Any]:
    futures: list[Any] = futures_of(collection)  # type: ignore[no-untyped-call]
    if futures:
        return futures
    kind = type(collection).__name__
    if is_dask_collection(collection):
        raise ValueError(
            f"collection: this {kind} is not computed, so no worker holds any of it; "
            "pass what its persist() returns"
        )
    raise TypeError(f"collection: expected a persisted dask collection or futures, got a {kind}")


def _refuse_failed(futures: list[Any]) -> None:
    # No worker holds the results of failed tasks, so a survey would leave them out silently.
    failed = [each for each in futures if each.status == "error"]
    if failed:
        why = failed[0].exception()
        raise ValueError(
            f"collection: {len(failed):,} of its {len(futures):,} tasks failed, so no worker holds "
            f"their results; the first is {failed[0].key!r}: {type(why).__name__}: {why}"
        ) from why


async def _look_here(dask_worker: Worker) -> Member:
    values = _held(dask_worker, None).values()
    return await asyncio.to_thread(lambda: look(dask_worker.address, arrays_in(values)))


async def _place_here(dask_worker: Worker, keys: list[Any] | None, flags: int) -> Member:
    held = _held(dask_worker, keys)
    # Count before moving: results that arrive later are in memory, but not in `held`.
    wanted = dask_worker.data if keys is None else keys
    spilled = sum(key in dask_worker.data and key not in held for key in wanted)
    member = await asyncio.to_thread(
        lambda: move_near(dask_worker.address, arrays_in(held.values()), flags)
    )
    told = f"{spilled:,} spilled to disk, so not in memory" if spilled else ""
    return replace(member, problem="; ".join(filter(None, [member.problem, told])))


def _held(worker: Worker, keys: Collection[Any] | None) -> dict[Any, Any]:
    # Only the results in memory: access through `worker.data` would read spilled ones back.
    data = getattr(worker.data, "fast", worker.data)
    wanted = list(data) if keys is None else [key for key in keys if key in data]
    return {key: data[key] for key in wanted}


def _plain(member: Member) -> dict[str, Any]:
    return {**asdict(member), "misplaced_bytes": member.misplaced_bytes}
