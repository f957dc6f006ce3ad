"""Commands that carry out advice about another process, and what execute() does here."""

import contextlib
import os

import pytest

import movepages as mp
from movepages.advice import carry_out as carrying_out
from movepages.advice.carry_out import carry_out
from movepages.advice.commands import commands_for
from movepages.advice.subjects import Subject
from support import memory, own_threads

NODE = mp.topology().allowed_nodes[0]
MIB = 1 << 20


def finding(verdict="move", layout="1", name="anonymous 0x7f00", target=1, **more):
    return mp.Finding(
        name=name, nbytes=MIB, bytes_per_node={0: MIB}, near=0.0, verdict=verdict, layout=layout,
        target=target, **more,
    )  # fmt: skip


def leave(name="x"):
    return finding("leave", "", name, None)


def test_no_commands_where_there_is_nothing_to_do_from_a_shell():
    assert commands_for(0, [finding()]) == ()
    assert commands_for(7, [leave()]) == commands_for(7, []) == ()


def test_memory_for_one_node_moves_as_a_whole():
    both = [finding(), finding(name="3 smaller regions"), leave()]
    assert commands_for(7, both) == ("movepages localize 7 --node 1 --memory-only",)


def test_files_that_localize_leaves_alone_are_named():
    a = memory.anonymous(memory.PAGE)
    subject = Subject("f", a, mp.where(a), read_only=True)
    found = commands_for(7, [finding(name="model 0x7f01", _subject=subject)])
    assert found == ("movepages move 7 --to 1 --region 0x7f01",)


def test_layouts_name_their_regions():
    found = commands_for(
        7,
        [
            finding(layout="blocks:0,1", name="a 0x7f01"),
            finding(layout="interleave:0,1", name="2 smaller regions"),
            finding(layout="blocks:0,1", name="b 0x7f03"),
        ],
    )
    assert found == ("movepages move 7 --to blocks:0,1 --region 0x7f01 --region 0x7f03",)


def test_threads_are_bound_first():
    found = commands_for(7, [finding("bind", "CPUs of node 1"), finding(layout="1")])
    assert found == (
        "movepages localize 7 --node 1 --cpus-only",
        "movepages localize 7 --node 1 --memory-only",
    )


def test_what_is_carried_out_is_returned_by_name():
    a = memory.anonymous(MIB)
    memory.touch(a)
    subject = Subject("a", a, mp.where(a))
    cpus = {}
    for tid in own_threads.ids():
        # A thread that was joined is listed a moment longer.
        with contextlib.suppress(ProcessLookupError):
            cpus[tid] = os.sched_getaffinity(tid)
    found = [
        leave(),
        finding(layout=str(NODE), target=NODE, name="a", _subject=subject),
        finding("replicate", f"replicate:{NODE}", "b", [NODE], _subject=subject),
        finding("bind", f"CPUs of node {NODE}", "c", mp.topology().nearest_cpus(NODE)),
    ]
    try:
        carry_out(0, found, {"progress": None}, done := {})
    finally:
        for tid, those in cpus.items():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(tid, those)
    assert list(done) == ["a", "b", "c"]
    assert done["a"].ok
    assert done["b"].nodes == (NODE,)
    assert done["c"].pids == (os.getpid(),)
    done["b"].close()


def test_threads_are_bound_once(monkeypatch):
    calls = []
    monkeypatch.setattr(carrying_out, "_bound", lambda pid, node: calls.append((pid, node)))
    found = [finding("bind", "CPUs of node 1", name) for name in ("a", "b", "c")]
    carry_out(7, found, {}, done := {})
    assert list(done) == ["a", "b", "c"]
    assert calls == [(7, 1)]


def test_findings_made_by_hand_have_nothing_to_move():
    with pytest.raises(TypeError, match="made by hand"):
        carry_out(0, [finding()], {}, {})
