"""Ask every worker of a Dask cluster, and go on if some do not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .members import Member, Survey

if TYPE_CHECKING:
    from distributed import Client


def refuse_unusable(client: Client, timeout: float | None) -> None:
    """Raise TypeError or ValueError if `ask` cannot use these arguments."""
    if not hasattr(client, "scheduler_info"):
        raise TypeError(f"client: expected a distributed.Client, got {client!r}")
    if client.asynchronous:
        raise TypeError(
            "client: expected a synchronous client and a call from outside its event loop; create "
            "the client with asynchronous=False, and call this function in a thread"
        )
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout: expected seconds above 0, or None, got {timeout!r}")


def ask(client: Client, timeout: float | None, job: Any, **how: Any) -> Survey:
    """Run the coroutine function `job` on each worker; return each answer, or why there is none."""
    names = sorted(client.scheduler_info(n_workers=-1)["workers"])
    answers: dict[str, Any] = {}

    async def ask_one(name: str) -> None:
        try:
            found = await client.run(job, **how, workers=[name], on_error="return")
            answers[name] = found[name]
        except Exception as error:
            answers[name] = error

    async def ask_all() -> None:
        # One call for each worker: answers that have come are kept if other workers fail.
        asked = [asyncio.ensure_future(ask_one(name)) for name in names]
        try:
            if asked:
                await asyncio.wait(asked, timeout=timeout)
        finally:
            for each in asked:
                each.cancel()

    loop = client.loop.asyncio_loop  # type: ignore[union-attr]
    asking = asyncio.run_coroutine_threadsafe(ask_all(), loop)
    try:
        asking.result()
    except KeyboardInterrupt as interrupt:
        asking.cancel()
        interrupt.result = _gather(names, answers, "interrupted")  # type: ignore[attr-defined]
        raise
    return _gather(names, answers, f"none within {timeout} s")


def as_member(name: str, answer: Member | Exception | str) -> Member:
    """Return the answer of a worker, or a `Member` that states why there is none.

    Examples
    --------
    >>> as_member("tcp://n01:4711", OSError("lost")).problem
    'no answer: OSError: lost'
    """
    if isinstance(answer, Member):
        return answer
    why = f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else answer
    return Member(name=name, problem=f"no answer: {why}")


def _gather(names: Sequence[str], answers: Mapping[str, Any], silent: str) -> Survey:
    return Survey(as_member(name, answers.get(name, silent)) for name in names)
