"""A signal handler's exception comes out of every call unchanged, whenever the signal comes."""

import gc
import os

import pytest

import movepages as mp
from interruptions import trial
from support import memory

SECONDS_EACH = 0.5


def calls():
    whole = memory.anonymous(8 << 20)
    whole[:] = 1
    scattered = whole[::8192]
    node = mp.topology().allowed_nodes[0]
    placement = mp.where(scattered)
    holder = memoryview(bytearray(1 << 16))
    return {
        "where": lambda: mp.where(scattered),
        "where of a buffer": lambda: mp.where(holder),
        "where of nothing mapped": lambda: mp.where(mp.Region(memory.UNMAPPED, 1 << 28)),
        "equal placements": lambda: placement == mp.where(scattered),
        "move": lambda: mp.move(scattered, node),
        "plan": lambda: mp.plan(whole, mp.interleave([node])).execute(),
        "bind": lambda: mp.bind(whole, node),
        "empty": lambda: mp.empty(1 << 20, node=node),
        "regions": lambda: mp.process(os.getpid()).regions(),
        "preflight": mp.preflight,
    }


@pytest.fixture
def _no_collections():
    """Disable garbage collection: callbacks that it runs lose what a handler raises in them."""
    gc.disable()
    yield
    gc.enable()


# A signal between open() and its `with` leaves the file to the interpreter.
@pytest.mark.filterwarnings("ignore:.*unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("_no_collections")
@pytest.mark.parametrize("name", calls())
def test_exception_of_a_handler_comes_out_unchanged(name):
    assert trial(calls()[name], SECONDS_EACH)
