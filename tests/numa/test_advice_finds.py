"""advise() finds planted misplacements, is silent about clean controls, and mends what it finds."""

import contextlib
import functools
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from support import (
    advice_judge,
    balancing,
    misplaced,
    placing,
    planted_process,
    policies,
    processes,
    system,
    well_placed,
)

# Huge pages that a layout cuts go to one node or another.
pytestmark = pytest.mark.filterwarnings("ignore::movepages.LayoutWarning")

# How many of three variants are those of another process.
PLANTED = {
    "wrong node": (misplaced.wrong_node, 1),
    "first touch by one thread": (misplaced.first_touch, 1),
    "interleaved, not in blocks": (misplaced.interleaved, 1),
    "page cache": (misplaced.page_cache, 0),
    "process bound late": (misplaced.bound_late, 3),
}
CLEAN = {
    "on the threads' node": (well_placed.own_node, 1),
    "in blocks": (well_placed.own_blocks, 0),
    "interleaved, threads anywhere": (well_placed.busy_everywhere, 0),
    "interleaved, used by all": (well_placed.used_by_all, 0),
    "page cache on the right node": (functools.partial(misplaced.page_cache, right=True), 0),
    "process bound early": (well_placed.bound_early, 3),
    "tiny arrays": (well_placed.tiny, 0),
    "one thread, free": (well_placed.lone_thread, 0),
}


@pytest.fixture(scope="module", autouse=True)
def _still(two_nodes):
    if len(placing.cpu_nodes()) < 2:
        pytest.skip("needs two nodes with CPUs and memory")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(balancing.switched("0"))
        except OSError:
            pytest.skip("needs root to switch automatic NUMA balancing off")
        # Children take over what is imported and calibrated now.
        mp.advise(np.ones(1 << 18), cpus=placing.every_cpu())
        yield


@pytest.fixture(scope="module")
def figures():
    rows = {}
    yield rows
    print("\n" + advice_judge.table(rows))


@pytest.fixture(scope="module")
def other():
    """Another process, in which one situation after the other is planted."""
    with processes.spawned() as child:
        yield child


def plant_and_judge(maker, seed):
    """Plant and judge memory of this process, which is a fresh child."""
    return advice_judge.judge(advice_judge.Own(maker(np.random.default_rng(seed), False)))


def judge_own(maker, seed):
    # A machine with much to do moves a free thread often, and most of the tries may be in vain.
    until = time.monotonic() + processes.PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(advice_judge.UnsteadyError):
            return processes.run_as(None, plant_and_judge, maker, seed)
    pytest.fail(f"seed {seed}: the scheduler moved the only thread each time")


def judge_other(child, maker, seed):
    """Plant in another process and judge from here."""
    card = child.call(planted_process.plant, maker, seed)
    if card.near is not None and all(each.verdict == "leave" for each in card.expected.values()):
        # The rest of its memory is near, too.
        placing.bring(child.pid, card.near)
    case = advice_judge.Other(child.pid, card, lambda: child.call(planted_process.look))
    return advice_judge.judge(case)


def try_kind(kind, maker, outside, figures, request):
    trials = []
    for number in range(request.config.getoption("--advice-variants")):
        seed = (zlib.crc32(kind.encode()), number)
        if number % 3 >= 3 - outside:
            trial = judge_other(request.getfixturevalue("other"), maker, seed)
        else:
            trial = judge_own(maker, seed)
        trials.append(trial)
    figures[kind] = trials
    wrong = [(seed, each) for seed, each in enumerate(trials) if not each.good]
    assert not wrong, "\n".join(f"seed {seed}: {each}" for seed, each in wrong)


def with_folder(maker, request):
    """Give makers of page cache a file system."""
    if getattr(maker, "func", maker) is misplaced.page_cache:
        return functools.partial(maker, folder=Path(request.getfixturevalue("disk")))
    return maker


@pytest.mark.parametrize("kind", PLANTED)
def test_planted(kind, figures, request):
    maker, outside = PLANTED[kind]
    try_kind(kind, with_folder(maker, request), outside, figures, request)


@pytest.mark.parametrize("kind", CLEAN)
def test_clean(kind, figures, request):
    maker, outside = CLEAN[kind]
    try_kind(kind, with_folder(maker, request), outside, figures, request)


def touched_far():
    near, far = placing.cpu_nodes()[:2]
    made = misplaced.Situation(near=near)
    array = placing.array_of(np.random.default_rng(0), 8 << 20, huge=False, whole=True)
    made.add(array, misplaced.page_nodes(array, [far]), misplaced.Expected("leave"), "touched")
    placing.bind_threads(placing.cpus_of(near))
    return made


def test_balancing_does_it(need_root):
    """Far memory of the kind that balancing moves by itself is left to it."""
    if missing := balancing.needs():
        pytest.skip(f"needs {missing}")

    def look():
        # Children inherit the policy that keeps balancing away from the tests.
        with policies.thread_has(system.MPOL_DEFAULT):
            made = touched_far()
            advice = mp.advise(made.subject)
            return (
                advice.ok,
                advice.balancing,
                [(each.verdict, each.reason) for each in advice.findings],
            )

    # On a slow machine, balancing would do it before the look.
    with balancing.resting(), processes.child(look) as child:
        ok, balanced, ((verdict, reason),) = child.result
    assert (ok, bool(balanced), verdict) == (True, True, "leave")
    assert "balancing" in reason
