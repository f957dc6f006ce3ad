"""Placement for the workers of a Dask cluster; needs distributed (extra ``dask``)."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import numpy as np

from .members import Member, Survey, arrays_in, look, settle
from .syscall import MPOL_MF_MOVE
from .topology_reader import topology

try:
    from distributed import Client, Worker, WorkerPlugin, futures_of
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in ("dask", "distributed"):
        raise
    raise ImportError(
        "movepages.dask needs the package distributed, which is not installed: "
        "pip install 'movepages[dask]'"
    ) from missing

__all__ = ["TOPIC", "Member", "PlacementPlugin", "Survey", "place", "survey"]

# Under which the plugin's reports are found: client.get_events(TOPIC).
TOPIC = "movepages"


class PlacementPlugin(WorkerPlugin):
    """Move each array near its worker as soon as the worker has it, and report to the client.

    ``client.register_plugin(PlacementPlugin())`` does so on all workers, also those to come. A
    report of a worker's machine comes when it begins, and one for each array that did not get
    where it should; ``client.get_events(movepages.dask.TOPIC)`` has them.

    Parameters
    ----------
    flags : int, default MPOL_MF_MOVE
        As of `movepages.move`.

    Notes
    -----
    The thread that computed an array has touched it first, mostly on the worker's own node, and
    what is in place costs a look. What a worker reads or receives is what moves.
    """

    name = "movepages"

    def __init__(self, flags: int = MPOL_MF_MOVE) -> None:
        self.flags = flags
        self._worker: Worker | None = None

    def setup(self, worker: Worker) -> None:
        """Report the worker's machine; distributed calls it when the worker begins."""
        self._worker = worker
        report = _plain(look(worker.address, []))
        worker.log_event(TOPIC, {**report, "topology": topology().as_dict()})

    def transition(self, key: Any, start: str, finish: str, **_kwargs: Any) -> None:  # noqa: ARG002
        """Move what has come into the worker's memory; distributed calls it for each task."""
        worker = self._worker
        if finish != "memory" or worker is None:
            return
        arrays = _held(worker, [key])
        if arrays:
            # Not in the thread that hears the other workers.
            job = functools.partial(self._settle, worker, arrays)
            worker.loop.add_callback(functools.partial(asyncio.to_thread, job))

    def _settle(self, worker: Worker, arrays: list[np.ndarray]) -> None:
        found = settle(worker.address, arrays, self.flags)
        if found.misplaced_bytes or found.problem:
            worker.loop.add_callback(worker.log_event, TOPIC, _plain(found))


def place(client: Client, collection: Any = None, *, flags: int = MPOL_MF_MOVE) -> Survey:
    """Move the arrays of a persisted collection near the workers that hold them.

    Parameters
    ----------
    client : distributed.Client
    collection : dask collection, futures, optional
        Such as what ``x.persist()`` returned; by default all that workers hold. What is not
        computed yet is not waited for.
    flags : int, default MPOL_MF_MOVE

    Returns
    -------
    Survey
        What each worker has of it then, and why something did not move.
    """
    keys = None if collection is None else _keys_of(collection)
    return _ask(client, _place_here, keys=keys, flags=flags)


def survey(client: Client) -> Survey:
    """Tell where the arrays of all workers are.

    Parameters
    ----------
    client : distributed.Client

    Returns
    -------
    Survey
        One `Member` for each worker: host, nodes of its CPUs, bytes on each node of the arrays in
        its memory (not those it has spilled to a disk), absent, and elsewhere. A worker that did
        not answer is there too, with its ``problem``.
    """
    return _ask(client, _look_here)


def _keys_of(collection: Any) -> list[Any]:
    return [future.key for future in futures_of(collection)]  # type: ignore[no-untyped-call]


async def _look_here(dask_worker: Worker) -> Member:
    return await asyncio.to_thread(look, dask_worker.address, _held(dask_worker, None))


async def _place_here(dask_worker: Worker, keys: list[Any] | None, flags: int) -> Member:
    arrays = _held(dask_worker, keys)
    return await asyncio.to_thread(settle, dask_worker.address, arrays, flags)


def _held(worker: Worker, keys: Collection[Any] | None) -> list[np.ndarray]:
    # What was spilled would be read back into memory.
    data = getattr(worker.data, "fast", worker.data)
    wanted = list(data) if keys is None else [key for key in keys if key in data]
    return arrays_in(data[key] for key in wanted)


def _ask(client: Client, job: Any, **how: Any) -> Survey:
    expected = list(client.scheduler_info(n_workers=-1)["workers"])
    answers = client.run(job, **how, on_error="return")
    names = sorted({*expected, *answers})
    return Survey(_as_member(name, answers.get(name)) for name in names)


def _as_member(name: str, answer: Member | BaseException | None) -> Member:
    if isinstance(answer, Member):
        return answer
    why = "it ended meanwhile" if answer is None else f"{type(answer).__name__}: {answer}"
    return Member(name=name, problem=f"no answer: {why}")


def _plain(member: Member) -> dict[str, Any]:
    return {**asdict(member), "misplaced_bytes": member.misplaced_bytes}
