"""What torch's tensors are refused for, without torch."""

import contextlib
import sys
from types import SimpleNamespace

import pytest

import movepages as mp


@pytest.fixture
def tensor(monkeypatch):
    """Return a tensor of 1000 float32 of a class that is called as torch's."""
    off = contextlib.nullcontext
    kind = type("Tensor", (SimpleNamespace,), {"__module__": "torch"})
    library = SimpleNamespace(_C=SimpleNamespace(DisableTorchFunctionSubclass=off), Tensor=kind)
    monkeypatch.setitem(sys.modules, "torch", library)
    return kind(
        device=SimpleNamespace(type="cpu"),
        is_nested=False,
        layout="torch.strided",
        shape=(1000,),
        stride=lambda: (1,),
        storage_offset=lambda: 0,
        element_size=lambda: 4,
        numel=lambda: 1000,
        data_ptr=lambda: 0x7F0000000000,
        untyped_storage=lambda: SimpleNamespace(nbytes=lambda: 4000),
    )


def test_data_ptr_where_there_is_no_other(tensor) -> None:
    found = mp.where(tensor)
    assert (found.address, found.nbytes) == (0x7F0000000000, 4000)


def test_the_address_that_ends_no_copy_on_write_comes_first(tensor) -> None:
    tensor.const_data_ptr = lambda: 0x7E0000000000
    assert mp.where(tensor).address == 0x7E0000000000


def test_other_devices_are_named(tensor) -> None:
    class Device(SimpleNamespace):
        def __str__(self):
            return "cuda:1"

    tensor.device = Device(type="cuda")
    with pytest.raises(TypeError, match=r"^w: this Tensor is on device cuda:1: it is not in this"):
        mp.where({"w": tensor})


@pytest.mark.parametrize("layout", ["torch._mkldnn", "torch.of_tomorrow", "torch.sparse_coo"])
def test_layouts_that_this_version_does_not_show(tensor, layout) -> None:
    tensor.layout = layout
    with pytest.raises(TypeError, match=f"layout {layout} does not say where its memory is"):
        mp.where(tensor)


def test_no_more_than_the_storage_is_taken(tensor) -> None:
    tensor.storage_offset = lambda: 100
    tensor.untyped_storage = lambda: SimpleNamespace(nbytes=lambda: 2200)
    found = mp.where(tensor)
    assert (found.address, found.nbytes) == (0x7F0000000000 - 400, 2200)
