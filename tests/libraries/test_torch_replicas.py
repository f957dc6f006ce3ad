"""replicate() of tensors and of a model's state."""

import pytest

import movepages as mp

torch = pytest.importorskip("torch")
NODE = mp.topology().allowed_nodes[0]


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.int8, torch.bool, torch.complex64]
)
@pytest.mark.parametrize("shape", [(), (7,), (300, 500), (0, 3), (1100, 1100)])
def test_tensors(dtype, shape):
    tensor = torch.rand(shape).mul(5).to(dtype)
    found = mp.replicate(tensor, [NODE]).here
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(found, tensor)
    assert not tensor.numel() or found.data_ptr() != tensor.data_ptr()


def test_a_strided_tensor():
    tensor = torch.rand(60, 50).t()[::3]
    assert torch.equal(mp.replicate([tensor], [NODE]).here[0], tensor)


def test_a_model():
    model = torch.nn.Sequential(torch.nn.Linear(30, 40), torch.nn.BatchNorm1d(40))
    model.add_module("tied", model[0])
    with mp.replicate(model, [NODE]) as found:
        copy = found.here
        assert list(copy) == list(model.state_dict())
        for name, tensor in model.state_dict().items():
            assert torch.equal(copy[name], tensor)
        assert copy["tied.weight"].data_ptr() == copy["0.weight"].data_ptr()
        second = torch.nn.Sequential(torch.nn.Linear(30, 40), torch.nn.BatchNorm1d(40))
        second.add_module("tied", second[0])
        second.load_state_dict(copy, assign=True)
        data = torch.rand(5, 30)
        assert torch.equal(second[0](data), model[0](data))
        assert set(mp.where(copy).bytes_per_node) == {NODE}


def test_tensors_that_cannot_be_copied():
    with pytest.raises(TypeError, match=r"^w: .*meta"):
        mp.replicate({"w": torch.empty(3, device="meta")}, [NODE])
    with pytest.raises(TypeError, match="expected a strided tensor"):
        mp.replicate(torch.eye(3).to_sparse(), [NODE])
