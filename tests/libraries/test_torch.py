"""where() of torch's objects, against what torch says of them."""

import ctypes
import pickle
from types import SimpleNamespace

import pytest
from looks import check_not_copied

import movepages as mp
from movepages.inputs.memory_of import memory_of

torch = pytest.importorskip("torch")
kinds = pytest.importorskip("kinds_torch")


def cases(table):
    return pytest.mark.parametrize("make", [make for _, make in table], ids=[n for n, _ in table])


def address_of(tensor) -> int:
    # data_ptr() would end copy-on-write.
    return tensor.const_data_ptr()


def contents(tensor) -> bytes:
    with torch._C.DisableTorchFunctionSubclass():
        start = address_of(tensor) - tensor.storage_offset() * tensor.element_size()
        return ctypes.string_at(start, tensor.untyped_storage().nbytes())


def dense(tensor) -> bool:
    """Whether the tensor has all elements of its storage, in some order."""
    with torch._C.DisableTorchFunctionSubclass():
        return tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


@cases(kinds.ONE_MEMORY)
def test_a_tensor_is_where_torch_says(make) -> None:
    tensor = make()
    with torch._C.DisableTorchFunctionSubclass():
        address, shape, nbytes = address_of(tensor), tuple(tensor.shape), tensor.nbytes
        state = tensor.requires_grad, tensor.is_leaf, tensor.is_conj(), tensor.is_neg()
        version = None if tensor.is_inference() else tensor._version
        before = contents(tensor)
        found = mp.where(tensor)
        assert mp.where(tensor) == found
        assert found.address == address == address_of(tensor)
        distinct = nbytes
        for axis, stride in enumerate(tensor.stride()):
            distinct //= 1 if stride else tensor.shape[axis]
        assert found.nbytes == distinct
        if dense(tensor):
            assert found.nbytes == tensor.untyped_storage().nbytes()
        assert found.shape == (shape if len(shape) > 1 else ())
        assert contents(tensor) == before
        assert state == (tensor.requires_grad, tensor.is_leaf, tensor.is_conj(), tensor.is_neg())
        assert version is None or tensor._version == version
    assert found.absent_bytes == 0


@cases(kinds.STORAGES)
def test_a_storage_is_one_memory(make) -> None:
    storage = make()
    untyped = storage if isinstance(storage, torch.UntypedStorage) else storage._untyped_storage
    found = mp.where(storage)
    assert (found.address, found.nbytes) == (untyped.data_ptr(), untyped.nbytes())


def parts_of(obj):
    """Return the tensors of an object by name, as torch lists them."""
    if isinstance(obj, torch.nn.Module):
        return {
            **dict(obj.named_parameters(remove_duplicate=False)),
            **dict(obj.named_buffers(remove_duplicate=False)),
        }
    if isinstance(obj, torch.optim.Optimizer):
        names = [name for g in obj.param_groups for name in g.get("param_names", ())]
        return {
            f"state.{names[number]}.{key}" if names else f"state[{number}].{key}": tensor
            for number, state in obj.state_dict()["state"].items()
            for key, tensor in state.items()
        }
    if isinstance(obj, torch.nn.utils.rnn.PackedSequence):
        return {"data": obj.data, "batch_sizes": obj.batch_sizes}
    if isinstance(obj, torch.utils.data.TensorDataset):
        return {f"tensors[{index}]": each for index, each in enumerate(obj.tensors)}
    if isinstance(obj, dict):
        return obj
    return parts_of_tensor(obj)


def parts_of_tensor(tensor):
    layout = str(tensor.layout)
    if isinstance(tensor, torch.masked.MaskedTensor):
        return {"data": tensor._masked_data, "mask": tensor._masked_mask}
    if isinstance(tensor, kinds.TwoTensor):
        return {"a": tensor.a, "b": tensor.b}
    if layout == "torch.jagged":
        return {"values": tensor.values(), "offsets": tensor.offsets()}
    if tensor.is_nested:
        return {f"[{index}]": each for index, each in enumerate(tensor.unbind())}
    if layout == "torch.sparse_coo":
        return {"indices": tensor._indices(), "values": tensor._values()}
    if layout in ("torch.sparse_csr", "torch.sparse_bsr"):
        names = ["crow_indices", "col_indices", "values"]
    else:
        names = ["ccol_indices", "row_indices", "values"]
    return {name: getattr(tensor, name)() for name in names}


@cases(kinds.SEVERAL)
def test_the_parts_of_an_object_are_where_torch_says(make) -> None:
    obj = make()
    parts = parts_of(obj)
    before = [(contents(each), each.requires_grad, each._version) for each in parts.values()]
    found = mp.where(obj)
    assert list(found) == list(parts)
    for name, tensor in parts.items():
        assert found[name].address == address_of(tensor)
        assert found[name].nbytes == tensor.nbytes
    distinct = {address_of(each): each.nbytes for each in parts.values()}
    assert found.nbytes == sum(distinct.values())
    assert found.absent_bytes == 0
    after = [(contents(each), each.requires_grad, each._version) for each in parts.values()]
    assert after == before


@cases(kinds.KINDS)
def test_nothing_is_a_copy(make) -> None:
    check_not_copied(make())


@cases(kinds.KINDS)
def test_the_memory_outlives_the_object(make) -> None:
    array, _ = memory_of(make())
    memory = getattr(array, "arrays", [array])[-1]
    ctypes.string_at(memory.address, memory.itemsize)


def test_copy_on_write_is_not_ended() -> None:
    tensor = torch.ones(1000)
    clone = torch._lazy_clone(tensor)
    assert mp.where(clone).address == mp.where(tensor).address
    assert torch._C._is_cow_tensor(clone)


@pytest.mark.filterwarnings("ignore:.*quantized tensor")
def test_elements_that_share_a_byte() -> None:
    tensor = kinds.quantized(torch.quint4x2)
    found = mp.where(tensor)
    assert found.address == tensor.data_ptr()
    assert found.nbytes == tensor.untyped_storage().nbytes() == tensor.numel() // 2


def test_overlapping_windows_count_once() -> None:
    assert mp.where(torch.ones(100).unfold(0, 3, 1)).nbytes == 400


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 5, 5)])
def test_no_elements(shape) -> None:
    assert mp.where(torch.empty(shape)).nbytes == 0


def test_tied_weights_have_both_names_and_count_once() -> None:
    model = kinds.Tied()
    found = mp.where(model)
    assert found["embed.weight"] == found["head.weight"]
    assert {"mean", "cache"} <= set(found)
    total = sum(each.nbytes for each in [*model.parameters(), *model.buffers()])
    assert found.nbytes == total
    assert list(found.below("head")) == ["head.weight", "head.bias"]


def test_a_model_among_other_things() -> None:
    state = SimpleNamespace(model=torch.nn.Linear(4, 4))
    found = mp.where({"model": state.model, "batch": [torch.ones(3), None, 4]})
    assert list(found) == ["model.weight", "model.bias", "batch[0]"]


def test_an_optimizer_that_has_not_stepped_holds_nothing() -> None:
    state = torch.optim.SGD(torch.nn.Linear(3, 3).parameters())
    with pytest.raises(TypeError, match=r"SGD with no array.* at its first step"):
        mp.where(state)
    assert not state.state


def test_values_of_torch_in_a_checkpoint_are_skipped() -> None:
    values = [torch.float32, torch.device("cpu"), torch.strided, torch.contiguous_format]
    checkpoint = {"model": torch.nn.Linear(3, 3).state_dict(), "values": values, "epoch": 3}
    assert list(mp.where(checkpoint)) == ["model.weight", "model.bias"]


def test_state_of_a_loaded_optimizer() -> None:
    optimizer = pickle.loads(pickle.dumps(kinds.optimizer()))
    assert "state[0].exp_avg" in mp.where(optimizer)


def test_a_distributed_tensor_is_its_local_part() -> None:
    distributed = pytest.importorskip("torch.distributed")
    if not distributed.is_available():
        pytest.skip("needs torch.distributed, this build has none")
    from torch.distributed.tensor import DTensor, Replicate, init_device_mesh

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        local = torch.ones(100, 100)
        found = mp.where(
            {"w": DTensor.from_local(local, init_device_mesh("cpu", (1,)), [Replicate()])}
        )
        assert list(found) == ["w._local_tensor"]
        assert found["w._local_tensor"] == mp.where(local)
    finally:
        distributed.destroy_process_group()


def test_tensors_that_are_plain_attributes_are_left_out() -> None:
    model = torch.nn.Linear(3, 3)
    model.table = torch.zeros(9)
    assert list(mp.where(model)) == list(model.state_dict()) == ["weight", "bias"]


def test_parameters_alone_are_refused_as_they_can_be_read_only_once() -> None:
    model = torch.nn.Linear(3, 3)
    for iterator in (model.parameters(), model.named_buffers(), model.named_parameters()):
        with pytest.raises(TypeError, match=r"only once: pass list.*, or the model itself$"):
            mp.where(iterator)
    assert len(mp.where(list(model.parameters()))) == 2
