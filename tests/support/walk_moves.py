"""Moves of arrays in a random walk: every target, and every way to end a move early."""

import warnings
from collections.abc import Callable

import numpy as np

import movepages as mp

from .kinds_base import MOVE_ALL
from .memory import PAGE
from .walk_judge import Asked, check_move
from .walk_operations import in_rows, operation


def _target(asked: Asked, random: np.random.Generator, nodes: list[int]) -> tuple[str, object]:
    some = random.choice(nodes, int(random.integers(1, len(nodes) + 1)), replace=False).tolist()
    block = None if random.random() < 0.5 else int(random.choice([1, 16, 512])) * PAGE
    makers: dict[str, Callable[[], object]] = {
        "a node": lambda: some[0],
        "a node each page": lambda: in_rows(random, some, len(asked.pages)),
        "interleave": lambda: mp.interleave(some, block=block),
        "weighted": lambda: mp.weighted({n: int(random.integers(1, 4)) for n in some}, block=block),
        "blocks": lambda: mp.blocks(some),
        "by_axis": lambda: mp.by_axis(int(random.integers(asked.array.ndim)), some),
        "like": lambda: mp.like(asked.area.array),
        "local": lambda: mp.local(),
        "restore": lambda: mp.where(asked.array),
    }
    name = str(random.choice(list(makers), p=[0.3, *[0.7 / (len(makers) - 1)] * (len(makers) - 1)]))
    return name, makers[name]()


def _how(random: np.random.Generator) -> dict[str, object]:
    """Return arguments for move(), most of the time none."""
    how: dict[str, object] = {}
    if random.random() < 0.3:
        how["flags"] = MOVE_ALL
    if random.random() < 0.2:
        turns, busy = int(random.choice([0, 3])), mp.PageStatus.EBUSY
        reasons = [busy] if random.random() < 0.5 else [busy, mp.PageStatus.EACCES]
        how["retry"] = mp.RetryPolicy(attempts=turns, backoff=0.001, reasons=reasons)
    if random.random() < 0.05:
        how["limit"] = "2GiB/s"
    if random.random() < 0.3:
        how["on_conflict"] = "split"
    return how


def _outcome(call: Callable[[], mp.MoveResult]) -> tuple[mp.MoveResult, BaseException | None]:
    """Return the result of a move, and the error that it ended with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mp.LayoutWarning)
        try:
            return call(), None
        except mp.MovePagesError as error:
            if error.result is None:
                raise
            return error.result, error


def _judge(asked: Asked, result, error, target, *, excuse: bool = False) -> None:
    asked.look()
    full = isinstance(error, MemoryError)
    check_move(asked, result, target, early=error is not None, excuse=excuse or full)


@operation(4)
def move(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    name, target = _target(asked, random, nodes)
    wanted = mp.targets(asked.array, target)
    how = _how(random)
    _judge(asked, *_outcome(lambda: mp.move(asked.array, target, **how)), wanted)
    return name + " split" * ("on_conflict" in how)


@operation(0.7)
def plan_and_execute(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    name, target = _target(asked, random, nodes)
    wanted = mp.targets(asked.array, target)
    plan = mp.plan(asked.array, target)
    if asked.calm:
        node = asked.look().node[asked.pages]
        asked.lie(node != asked.before.node[asked.pages], "planning moved pages", node)
        _check_plan(asked, plan, wanted, node)
    _judge(asked, *_outcome(plan.execute), wanted)
    return name


def _check_plan(asked: Asked, plan: mp.Plan, wanted: np.ndarray, node: np.ndarray) -> None:
    blind = bool(asked.hidden().any())
    known = (node >= 0) & (wanted >= 0)
    total = sum(plan.flows.values()) // PAGE + plan.absent + plan.untargeted + plan.hidden
    asked.expect("the sum of a plan", total, len(node))
    if blind:
        return
    asked.expect("absent of a plan", plan.absent, int((node < 0).sum()))
    if plan.overruled:
        return
    pairs = set(zip(node[known].tolist(), wanted[known].tolist(), strict=True))
    flows = {(a, b): int(((node == a) & (wanted == b) & known).sum()) * PAGE for a, b in pairs}
    asked.expect("flows", dict(plan.flows), flows)


@operation(0.5)
def refuse_conflicts(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    name, target = _target(asked, random, nodes)
    wanted = mp.targets(asked.array, target)
    try:
        result, error = _outcome(lambda: mp.move(asked.array, target, on_conflict="raise"))
    except ValueError:
        frames = asked.look().frame
        wrong = (frames != asked.before.frame)[asked.pages] & asked.still
        asked.lie(wrong, "refused, but moved", wanted)
        return "refused"
    _judge(asked, result, error, wanted)
    return name


@operation(0.6)
def background_with_cancel(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    name, target = _target(asked, random, nodes)
    wanted = mp.targets(asked.array, target)
    how = _how(random)
    job = mp.move(asked.array, target, background=True, **how)
    cancelled = random.random() < 0.6 and job.cancel()
    result, error = _outcome(job.result)
    if error is not None and not isinstance(error, MemoryError):
        asked.expect("cancelled", bool(cancelled), True)
    _judge(asked, result, error, wanted)
    return "cancelled" if error else name


@operation(0.5)
def deadline(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    _, target = _target(asked, random, nodes)
    wanted = mp.targets(asked.array, target)
    seconds = float(random.choice([0, 0.001, 0.01]))
    result, error = _outcome(lambda: mp.move(asked.array, target, deadline=seconds))
    _judge(asked, result, error, wanted)
    return "too late" if isinstance(error, TimeoutError) else "in time"


@operation(0.5)
def progress_that_ends_it(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    _, target = _target(asked, random, nodes)
    wanted = mp.targets(asked.array, target)
    calls = iter(range(int(random.integers(3))))
    result, error = _outcome(
        lambda: mp.move(asked.array, target, progress=lambda *_: next(calls, None) is not None)
    )
    _judge(asked, result, error, wanted)
    return "ended" if error else "done before"


@operation(0.5)
def move_and_restore(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    before = mp.where(asked.array)
    _outcome(lambda: mp.move(asked.array, int(random.choice(nodes))))
    target = np.maximum(before.status, -1)
    asked.look_before()
    _judge(asked, *_outcome(lambda: mp.move(asked.array, before)), target)
    return ""
