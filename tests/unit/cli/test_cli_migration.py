"""``movepages move`` over many regions: how they are joined, and runs that end early."""

import contextlib
import itertools
import json
import mmap
import os
import re
import signal
from dataclasses import replace

import pytest

import movepages as mp
from movepages._core import read_file
from movepages.cli import main, move
from movepages.cli.move_outcome import Outcome
from movepages.cli.process_move import forecast, migrate, pieces
from movepages.cli.regions import regions_of
from movepages.system import refusals
from support import memory, processes, system

pytestmark = pytest.mark.host

NODE = mp.topology().allowed_nodes[0]
PAGE = memory.PAGE
COUNT = 200


@contextlib.contextmanager
def many_mappings(*, empty=False):
    """Yield a process with many adjacent mappings, perhaps without memory, and two far apart."""
    held = []

    def hold():
        held.extend(memory.anonymous(n * PAGE, NODE) for n in (COUNT, 8, 8))
        for page in range(0, COUNT, 2):
            address = held[0].ctypes.data + page * PAGE
            assert system.libc.madvise(address, PAGE, mmap.MADV_DONTFORK) == 0
        if empty:
            memory.discard(held[0])
        return [each.ctypes.data for each in held]

    with processes.child(hold) as child:
        yield child


@pytest.fixture
def many():
    with many_mappings() as process:
        yield process


def chosen(many):
    first, *apart = many.result
    return [hex(first + page * PAGE) for page in range(COUNT)] + [hex(each) for each in apart]


def options(many):
    return [f"--region={each}" for each in chosen(many)]


def test_adjacent_regions_are_one_piece_for_one_node(many):
    regions = regions_of(many.pid, chosen(many))
    assert len(regions) == COUNT + 2
    found = list(pieces(many.pid, regions, NODE))
    sizes = [COUNT * PAGE, 8 * PAGE, 8 * PAGE]
    told = dict(zip(many.result, sizes, strict=True))
    assert {piece.region.address: piece.region.nbytes for piece in found} == told
    # All pages were touched.
    assert all(piece.in_memory == piece.region.nbytes for piece in found)
    apart = list(pieces(many.pid, regions, mp.interleave([NODE])))
    assert [(p.region.address, p.region.nbytes) for p in apart] == [
        (int(r["address"]), int(r["nbytes"])) for r in regions
    ]


@pytest.mark.parametrize(("turns", "block"), [((0, 1), 1), ((3, 1, 2), 1), ((0, 1), 2)])
def test_turns_continue_across_regions(many, turns, block):
    regions = regions_of(many.pid, chosen(many))
    found = list(pieces(many.pid, regions, mp.interleave(turns, block=block * PAGE)))
    wanted = [mp.targets(piece.region, piece.target).tolist() for piece in found]
    taken = itertools.cycle(turns)
    # A turn that a region does not fill ends with the region.
    expected = [
        [node for _, node in zip(range(-(-len(each) // block)), taken, strict=False)]
        for each in wanted
    ]
    assert [each[::block] for each in wanted] == expected
    assert len(wanted) == COUNT + 2


@pytest.mark.parametrize("empty", [False, True])
def test_the_mappings_are_read_once_for_all_regions(monkeypatch, empty):
    read = []
    monkeypatch.setattr(refusals, "read_file", lambda path: read.append(path) or read_file(path))
    with many_mappings(empty=empty) as many:
        regions = regions_of(many.pid, chosen(many))
        assert len(regions) == COUNT + 2
        outcome = Outcome(int(regions["nbytes"].sum()) // PAGE)
        migrate(many.pid, regions, mp.interleave([NODE]), lambda _: 0, outcome)
        forecast(many.pid, regions, mp.interleave([NODE]))
        assert outcome.already_there + outcome.absent == outcome.pages
        assert outcome.absent == COUNT * empty
        # Only absent pages need the mappings.
        assert read == [f"/proc/{many.pid}/maps"] * 2 * empty
        mp.process(many.pid).where(regions)
        mp.process(many.pid).move(NODE, regions)
        assert read == [f"/proc/{many.pid}/maps"] * 4 * empty
        mp.where(mp.Region(PAGE, PAGE, many.pid))
        assert len(read) == 4 * empty + 1


def test_progress_counts_present_pages():
    """Parts of two regions are absent; progress ends at the total."""
    held, told = [], []

    def hold():
        held.extend(memory.anonymous(64 * PAGE, NODE) for _ in range(2))
        for each in held:
            memory.discard(each[: 48 * PAGE])
        return [each.ctypes.data for each in held]

    with processes.child(hold) as child:
        regions = regions_of(child.pid, [hex(address) for address in child.result])
        outcome = Outcome(128)
        migrate(child.pid, regions, NODE, told.append, outcome)
    assert (outcome.already_there, outcome.absent, outcome.not_attempted) == (32, 96, 0)
    assert told == sorted(told)
    assert told[-1] == regions["bytes"].sum() == 32 * PAGE


def test_both_ways_move_the_same_pages(many, capsys):
    for target in (str(NODE), f"interleave:{NODE}"):
        assert main(["move", str(many.pid), "--to", target, "--json", *options(many)]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["regions"], found["already_there"]) == (COUNT + 2, COUNT + 16)


def test_room_is_needed_for_all_regions_together(many, monkeypatch):
    here = mp.topology()
    other = max(here.nodes) + 1
    regions = regions_of(many.pid, chosen(many)[-2:])
    for free, enough in ((16 * PAGE, True), (15 * PAGE, False)):
        node = replace(here.nodes[NODE], id=other, memory_free=free)
        machine = replace(here, nodes={other: node})
        monkeypatch.setattr(mp, "topology", lambda machine=machine: machine)
        found = forecast(many.pid, regions, mp.interleave([other]))
        assert found.nbytes == 16 * PAGE
        assert any("would come to it" in each for each in found.problems) == (not enough)


def die(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def interrupt(_pid):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("event", "status", "error"),
    [(die, 1, "has just ended|no such process"), (interrupt, 130, "interrupted$")],
)
def test_early_end_reports_what_was_done(event, status, error, many, monkeypatch, capsys):
    move, calls = mp.move, []

    def second_fails(*arguments, **how):
        calls.append(arguments)
        if len(calls) == 2:
            event(many.pid)
        return move(*arguments, **how)

    monkeypatch.setattr(mp, "move", second_fails)
    there = [f"--region={hex(address)}" for address in many.result[1:]]
    assert main(["move", str(many.pid), "--to", str(NODE), "--json", *there]) == status
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["pages"], found["already_there"], found["not_attempted"]) == (16, 8, 8)
    assert not found["ok"]
    assert re.search(error, captured.err.strip())


@pytest.mark.parametrize(("late", "done"), [(False, 0), (True, 8)])
def test_ctrl_c_in_the_progress_bar_reports_what_was_done(late, done, many, monkeypatch, capsys):
    @contextlib.contextmanager
    def interrupted(*_arguments, **_how):
        if late:
            yield lambda _done: None
        raise KeyboardInterrupt

    monkeypatch.setattr(move, "shown_progress", interrupted)
    there = f"--region={hex(many.result[1])}"
    assert main(["move", str(many.pid), "--to", str(NODE), "--json", there]) == 130
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["already_there"], found["not_attempted"]) == (done, 8 - done)
    assert captured.err == "movepages: interrupted\n"
