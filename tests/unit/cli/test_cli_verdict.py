"""What a move reports in the end, compared with numa_maps; when migrate_pages(2) may follow it."""

import json
import re

import pytest

import movepages as mp
from movepages import _core
from movepages.cli import main, whole_process
from movepages.cli.move_outcome import Outcome
from movepages.cli.regions import regions_of
from movepages.cli.verdict import held_now, not_accounted
from movepages.processes.process import Process
from support import memory, processes, settling

pytestmark = pytest.mark.host

NODE = mp.topology().allowed_nodes[0]
PAGE = memory.PAGE
HIDDEN = mp.PageStatus.ENODATA


@pytest.fixture
def other():
    """Yield a process with two regions of 16 pages, and a third that it touches later."""
    held = []

    def hold():
        held.extend(memory.anonymous(16 * PAGE, NODE) for _ in range(2))
        held.append(memory.anonymous(16 * PAGE))
        held[2][: 4 * PAGE] = 1
        held.append(memory.anonymous(16 * PAGE))
        return [each.ctypes.data for each in held]

    with processes.child(hold) as child:
        child.more = lambda: child.call(_touch, child.result[2])
        settling.until_asleep(child.pid)
        yield child


def _touch(address):
    import ctypes

    ctypes.memset(address, 1, 16 * PAGE)


def chosen(other, *which):
    return regions_of(other.pid, [hex(other.result[i]) for i in which])


def test_present_pages_are_added_up(other):
    held = held_now(other.pid, chosen(other, 0, 1, 2))
    assert (held.nodes[NODE], held.unknown, held.total) == (36 * PAGE, 0, 36 * PAGE)


def test_regions_without_memory_need_no_accounting(other, capsys):
    assert held_now(other.pid, chosen(other, 0)[:0]).total == 0
    options = ["--to", str(NODE), f"--region={other.result[3]:#x}"]
    assert main(["move", str(other.pid), *options]) == 0
    assert "0 regions" in capsys.readouterr().out


def test_mapping_beyond_the_listed_region_is_queried(other):
    regions = chosen(other, 0, 1)
    regions["nbytes"][0] = 6 * PAGE
    assert held_now(other.pid, regions).nodes[NODE] == 22 * PAGE


def test_region_that_changed_while_listed_is_moved_and_counted(other, monkeypatch, capsys):
    regions = chosen(other, 0)
    listed = Process.regions

    def unsteady(process):
        found = listed(process)
        changed = found["address"] == other.result[0]
        found["bytes"][changed], found["policy"][changed] = 0, ""
        return found

    monkeypatch.setattr(Process, "regions", unsteady)
    assert held_now(other.pid, regions).nodes[NODE] == 16 * PAGE
    options = ["--to", str(NODE), f"--region={other.result[0]:#x}", "--json"]
    assert main(["move", str(other.pid), *options]) == 0
    assert json.loads(capsys.readouterr().out)["already_there"] == 16


def test_pages_touched_meanwhile_are_not_accounted_for(other):
    regions = chosen(other, 0, 2)
    assert not_accounted(other.pid, regions, NODE, 20, 0) == 0
    assert not_accounted(other.pid, regions, mp.interleave([NODE]), 20, 0) == 0
    other.more()
    assert not_accounted(other.pid, regions, mp.interleave([NODE]), 20, 0) == 12
    assert not_accounted(other.pid, regions, mp.interleave([NODE]), 20, 2) == 10
    assert not_accounted(other.pid, regions, NODE, 20, 0) == 0
    assert not_accounted(other.pid, regions, NODE + 1, 0, 0) == 32
    assert not_accounted(other.pid, regions, NODE + 1, 0, 32) == 0


def test_pages_not_accounted_for_are_reported_and_not_ok(other, capsys, monkeypatch):
    monkeypatch.setattr(whole_process, "not_accounted", lambda *_: 12)
    options = ["--to", str(NODE), f"--region={other.result[0]:#x}"]
    assert main(["move", str(other.pid), *options]) == 1
    captured = capsys.readouterr()
    assert re.search(r"not accounted for +12$", captured.out, re.MULTILINE)
    assert "numa_maps shows 12 pages elsewhere" in captured.err
    assert main(["move", str(other.pid), *options, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["elsewhere"], found["ok"]) == (12, False)


def test_second_pass_counts_pages_in_place_as_moved():
    outcome = Outcome(10, moved=2, already_there=3, failures={HIDDEN: 4}, absent=1, seconds=1.0)
    outcome.replace(Outcome(10, moved=1, already_there=8, absent=1, seconds=0.5))
    assert (outcome.moved, outcome.already_there, outcome.absent) == (6, 3, 1)
    assert (outcome.not_attempted, outcome.ok, outcome.seconds) == (0, True, 1.5)


@pytest.fixture
def hidden(monkeypatch, other):
    """Make a move find the first region hidden; return the calls of migrate_pages(2)."""
    calls = []

    def migrate_process(pid, away_from, to):
        calls.append((pid, away_from.tolist(), to.tolist()))
        return 0, 0

    move = mp.move

    def some_hidden(region, target, **how):
        result = move(region, NODE, **how)
        if calls or region.address != other.result[0]:
            return result
        return mp.MoveResult(pages=16, failures={HIDDEN: 16})

    monkeypatch.setattr(mp, "move", some_hidden)
    monkeypatch.setattr(_core, "migrate_process", migrate_process)
    monkeypatch.setattr(whole_process, "sources", lambda *_: [NODE])
    monkeypatch.setattr(whole_process, "not_accounted", lambda *_: 0)
    return calls


def test_migrate_pages_follows_only_if_it_moves_nothing_else(other, hidden, monkeypatch, capsys):
    options = ["--to", str(NODE), f"--region={other.result[0]:#x}"]
    # The process has other memory on the same node.
    assert main(["move", str(other.pid), *options]) == 1
    captured = capsys.readouterr()
    assert "failed: ENODATA" in captured.out
    assert "--whole moves them" in captured.err
    assert hidden == []
    monkeypatch.setattr(whole_process, "moves_no_more", lambda *_: True)
    assert main(["move", str(other.pid), *options]) == 0
    assert hidden == [(other.pid, [NODE], [NODE])]


def test_whole_moves_the_whole_process(other, hidden, capsys):
    status = main(["move", str(other.pid), "--to", str(NODE), "--whole", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert hidden == [(other.pid, [NODE], [NODE])]
    assert "ENODATA" not in found["failures"]
    assert (status == 0) == found["ok"]


@pytest.mark.parametrize("options", [["--region=heap"], ["--to=interleave:0"]])
def test_whole_needs_one_node_and_no_region(other, options, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["move", str(other.pid), f"--to={NODE}", "--whole", *options])
    assert caught.value.code == 2
    assert "expected one node as --to, and no --region" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [(1, PermissionError, "CAP_SYS_NICE"), (3, ProcessLookupError, "no such process"),
     (22, ValueError, "has no memory"), (12, MemoryError, "Cannot allocate")],
)  # fmt: skip
def test_refusals_of_migrate_pages(monkeypatch, code, kind, words):
    monkeypatch.setattr(_core, "migrate_process", lambda *_: (code, 0))
    with pytest.raises(kind, match=f"process 4711 to node {NODE}: .*{words}"):
        whole_process.migrate_process(4711, [NODE], NODE)


def test_migrate_pages_of_a_dead_process():
    with pytest.raises(ProcessLookupError):
        whole_process.migrate_process(processes.dead_pid(), [NODE], NODE)


def test_other_memory_on_the_nodes(other):
    assert not whole_process.moves_no_more(other.pid, chosen(other, 0), [NODE])
    everything = regions_of(other.pid, [])
    assert whole_process.moves_no_more(other.pid, everything, [NODE])
    assert whole_process.moves_no_more(other.pid, chosen(other, 0), [])
