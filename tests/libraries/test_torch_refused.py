"""Objects of torch whose memory is not in this process, or not to be had without a copy."""

import pytest

import movepages as mp

torch = pytest.importorskip("torch")


def test_a_device() -> None:
    for obj in (torch.ones(3, device="meta"), torch.ones(3, device="meta").untyped_storage()):
        with pytest.raises(TypeError, match="on device meta: it is not in this process's memory"):
            mp.where(obj)


def test_the_name_of_the_parameter_is_told() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3, device="meta"))
    with pytest.raises(TypeError, match=r"^1\.weight: this Parameter is on device meta"):
        mp.where(model)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_fake_tensors(device) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        fake = torch.empty(3, device=device)
    with pytest.raises(TypeError, match="FakeTensor has a shape and no data"):
        mp.where(fake)


def test_functional_tensors() -> None:
    functional = pytest.importorskip("torch._subclasses.functional_tensor")
    with functional.FunctionalTensorMode():
        tensor = functional.FunctionalTensor.to_functional(torch.ones(3))
    with pytest.raises(TypeError, match="no memory of its own"):
        mp.where(tensor)


@pytest.mark.parametrize("transform", ["vmap", "func.grad", "func.functionalize"])
def test_tensors_inside_transforms(transform) -> None:
    module, _, name = transform.rpartition(".")
    function = getattr(getattr(torch, module) if module else torch, name)

    def look(tensor):
        with pytest.raises(TypeError, match="no memory of its own"):
            mp.where(tensor)
        return tensor.sum()

    function(look)(torch.ones(3))


def test_a_wrapper_that_does_not_say_what_it_wraps() -> None:
    class Wrapper(torch.Tensor):
        @staticmethod
        def __new__(cls):
            return torch.Tensor._make_wrapper_subclass(cls, (3,))

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            raise AssertionError(f"{func} was called")

    with pytest.raises(TypeError, match="this Wrapper has no memory of its own"):
        mp.where(Wrapper())


def test_a_wrapper_that_hands_out_copies() -> None:
    two = pytest.importorskip("torch.testing._internal.two_tensor").TwoTensor

    class Copies(two):
        def __getattribute__(self, name):
            found = super().__getattribute__(name)
            return found.clone() if name == "b" else found

    with pytest.raises(TypeError, match="b of this Copies is made anew"):
        mp.where(Copies(torch.ones(3), torch.ones(3)))


def test_uninitialized_parameters() -> None:
    lazy = torch.nn.LazyLinear(4)
    for obj, name in ((lazy, "weight: "), (lazy.weight, ""), (lazy.state_dict(), "weight: ")):
        with pytest.raises(TypeError, match=f"^{name}this UninitializedParameter has no memory"):
            mp.where(obj)
    lazy(torch.ones(3))
    assert mp.where(lazy)["weight"].nbytes == 48


def test_mkldnn() -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("needs oneDNN, this build has none")
    with pytest.raises(TypeError, match=r"layout torch\._mkldnn does not say where"):
        mp.where(torch.ones(8, 8).to_mkldnn())


def test_a_freed_storage() -> None:
    tensor = torch.ones(1000)
    tensor.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match="storage of this tensor is freed"):
        mp.where(tensor)


def test_a_tensor_of_zeros_without_memory() -> None:
    with pytest.raises(TypeError, match="no memory of its own"):
        mp.where(torch._efficientzerotensor(3))


def test_a_storage_without_memory() -> None:
    from torch.testing._internal.two_tensor import TwoTensor

    storage = TwoTensor(torch.ones(3), torch.ones(3)).untyped_storage()
    with pytest.raises(TypeError, match="no memory of its own"):
        mp.where(storage)


@pytest.mark.filterwarnings("ignore")
def test_packed_weights_are_refused() -> None:
    quantization = pytest.importorskip("torch.ao.quantization")
    try:
        model = quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(64, 64)))
    except (AttributeError, RuntimeError):
        pytest.skip("this torch cannot quantize here")
    packed = r"0\._packed_params\._packed_params: torch does not say where a ScriptObject"
    with pytest.raises(TypeError, match=f"^{packed}.*packed weights of a quantized module"):
        mp.where(model)
