"""What is said of targets that a user may well try."""

import os
import subprocess
import sys

import numpy as np
import pytest

import movepages as mp

# The same on every kernel.
pytestmark = pytest.mark.host

NODE = mp.topology().allowed_nodes[0]


class Tensor:
    dtype = "torch.float32"

    def __array__(self, dtype=None, copy=None):
        return np.ones(3, np.float32)


def torch_device(name):
    device = type("device", (), {"__module__": "torch", "__str__": lambda _: name})
    return device()


@pytest.fixture
def a():
    return np.ones(1 << 14)


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("interleave", r"got a str, 'interleave'; pass the layout interleave\(\[0, 1\]\)"),
        ("interleave:0,1", r"pass the layout interleave\(\[0, 1\]\)"),
        ("blocks", r"pass the layout blocks\(\[0, 1\]\)"),
        ("local", r"pass the layout local\(\)"),
        ("0", "got a str, '0'; pass the number 0"),
        ("node 3", "pass the number 3"),
        ("near:eth0", r"pass near\('eth0'\)"),
        ("there", "got a str, 'there'$"),
        (1.0, "got a float, 1.0; pass the number 1"),
        (np.float32(2.0), "pass the number 2"),
        (np.float64(1.5), "expected integers that fit int32"),
        ({0, 1}, "a set has no order: pass blocks"),
        (mp.interleave, r"got a function; call it: interleave\(\[0, 1\]\)"),
        (np.ones(5), r"got an array of float64; to put memory where another array is, pass like"),
        (Tensor(), r"got a Tensor; to put memory where another array is, pass like\(b\)"),
        ("cuda:0", r"for the node nearest to a device, pass near\('cuda:0'\)"),
        (torch_device("cuda:1"), r"for the node nearest to a device, pass near\('cuda:1'\)"),
        (mp.topology().nodes[NODE], f"got a Node; pass its number: {NODE}"),
        (mp.topology(), rf"got a Topology; pass one of its allowed_nodes: \({NODE},"),
        ([NODE], f"got a sequence of 1; for one node, pass the number {NODE}"),
        ([0, 1], r"for each member a mapping such as \{0: 0, 1: 1\}"),
        ([0, 1], r"pass a layout such as blocks\(\[0, 1\]\) or interleave"),
    ],
)
@pytest.mark.parametrize("call", [mp.move, mp.plan, mp.targets])
def test_the_target_that_was_meant_is_named(a, call, target, meant):
    with pytest.raises((TypeError, ValueError), match=meant):
        call(a, target)


def test_nodes_of_another_dtype_are_to_be_converted(a):
    wanted = np.full(mp.where(a).pages, 0.0)
    with pytest.raises(TypeError, match=r"convert it first, e\.g\. with \.astype"):
        mp.move(a, wanted)


def test_swapped_arguments(a):
    with pytest.raises(TypeError, match=r"a node comes after the memory: move\(a, 3\)"):
        mp.move(3, a)
    with pytest.raises(
        TypeError, match=r"pass the memory itself, and a layout after it: move\(a, layout\)"
    ):
        mp.move(mp.interleave([0, 1]), a)


@pytest.mark.parametrize("first", [mp.blocks([NODE]), NODE])
def test_targets_with_the_layout_first_still_works(a, first):
    with pytest.deprecated_call(match="pass the memory first") as told:
        found = mp.targets(first, a)
    assert told[0].filename == __file__
    assert found.tolist() == mp.targets(a, first).tolist()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (4711, r"for a process, use process\(4711\)"),
        ("x.npy", r"for a file in the page cache, pass page_cache\('x.npy'\)"),
        (mp.process(os.getpid()), r"got Process, .*process\(pid\)\.where\(\)"),
    ],
)
def test_memory_that_is_elsewhere(given, meant):
    with pytest.raises(TypeError, match=meant):
        mp.where(given)


@pytest.mark.parametrize(
    ("make", "meant"),
    [
        (lambda: mp.local(0), r"cpus: expected CPU numbers such as \[0, 1\], got 0$"),
        (lambda: mp.local(np.ones(3)), "got an array of float64"),
        (lambda: mp.by_axis([0], 0), r"axis: expected a whole number, got \[0\]; the order is"),
        (lambda: mp.interleave(1), r"at least one node, got 1; pass \[1\]"),
        (lambda: mp.zeros((4, 4), 0), "dtype: .*; for a node, pass node=0"),
        (lambda: mp.full(4, 1, "float3"), "dtype: data type 'float3' not understood"),
    ],
)
def test_arguments_of_another_kind(make, meant):
    with pytest.raises((TypeError, ValueError), match=meant):
        make()


def test_texts_instead_of_lists():
    with pytest.raises(TypeError, match=r"expected node numbers such as \[0, 1\], got the text"):
        mp.interleave("0,1")
    with pytest.raises(TypeError, match=r"nearest to a device, pass near\('gpu'\)"):
        mp.local("gpu")


def test_the_nearest_choice_is_named(a):
    with pytest.raises(ValueError, match="got 'majorty'; did you mean 'majority'"):
        mp.move(a, NODE, on_conflict="majorty")
    with pytest.raises(ValueError, match="got 'intrleave'; did you mean 'interleave'"):
        mp.bind(a, NODE, mode="intrleave")
    with pytest.raises(ValueError, match=r"got 'xyz'$"):
        mp.plan(a, NODE, on_conflict="xyz")


def test_the_nearest_name_is_suggested():
    line = "import movepages; movepages.wher"
    done = subprocess.run([sys.executable, "-c", line], stderr=subprocess.PIPE, text=True)
    last = done.stderr.splitlines()[-1]
    assert "has no attribute 'wher'. Did you mean: 'where'" in last
