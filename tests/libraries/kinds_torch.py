"""Kinds of objects of torch, each with at least 1 MiB of memory that has been written."""

import tempfile
import warnings

import torch
from torch.masked import masked_tensor
from torch.nn.utils.rnn import pack_sequence
from torch.testing._internal.two_tensor import TwoTensor

SIDE = 1024


def ones(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.ones(SIDE, SIDE, dtype=torch.float32).to(dtype)


def quietly(make):
    """Return a maker that ignores warnings of torch that some kind of tensor is new or old."""

    def quiet():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()

    return quiet


class Subclass(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(f"{func} of a subclass was called")


def from_file() -> torch.Tensor:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115
    tensor = torch.from_file(file.name, shared=True, size=SIDE * SIDE, dtype=torch.float32)
    return tensor.fill_(1)


def in_inference_mode() -> torch.Tensor:
    with torch.inference_mode():
        return ones() + 1


class Tied(torch.nn.Module):
    """Two layers that share a weight, with buffers of both sorts."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(SIDE, SIDE)
        self.head = torch.nn.Linear(SIDE, SIDE)
        self.head.weight = self.embed.weight
        self.register_buffer("mean", torch.ones(SIDE))
        self.register_buffer("cache", torch.ones(SIDE), persistent=False)


def optimizer(named: bool = False) -> torch.optim.Optimizer:
    model = torch.nn.Sequential(torch.nn.Linear(SIDE, SIDE), torch.nn.Linear(SIDE, 8))
    parameters = model.named_parameters() if named else model.parameters()
    made = torch.optim.AdamW(parameters)
    model(torch.ones(SIDE)).sum().backward()
    made.step()
    return made


def quantized(dtype: torch.dtype) -> torch.Tensor:
    scales, zeros = torch.ones(SIDE), torch.zeros(SIDE)
    return torch.quantize_per_channel(torch.ones(SIDE, SIDE * 4), scales, zeros, 0, dtype)


ONE_MEMORY = [
    ("float32", ones),
    ("bfloat16", lambda: ones(torch.bfloat16)),
    ("float8", lambda: ones(torch.float8_e4m3fn)),
    ("complex64", lambda: ones(torch.complex64)),
    ("bool", lambda: ones(torch.bool)),
    ("conjugated", lambda: ones(torch.complex64).conj()),
    ("negated", lambda: ones(torch.complex64).conj().imag),
    ("requires_grad", lambda: ones().requires_grad_()),
    ("with a history", lambda: ones().requires_grad_() * 2),
    ("transposed", lambda: ones().t()),
    ("channels last", lambda: torch.ones(4, 3, 256, 256).to(memory_format=torch.channels_last)),
    ("every third row", lambda: torch.ones(3 * SIDE, SIDE)[1::3]),
    ("some columns", lambda: torch.ones(SIDE, SIDE)[:, 3:-5]),
    ("expanded", lambda: torch.ones(SIDE, 1, SIDE).expand(SIDE, 7, SIDE)),
    ("no axes", lambda: ones()[3, 4]),
    ("parameter", lambda: torch.nn.Parameter(ones())),
    ("buffer", lambda: torch.nn.Buffer(ones())),
    ("subclass", lambda: ones().as_subclass(Subclass)),
    ("from numpy", lambda: torch.from_numpy(ones().numpy().copy())),
    ("from a file", from_file),
    ("shared", lambda: ones().share_memory_()),
    ("inference mode", in_inference_mode),
    ("copy on write", lambda: torch._lazy_clone(ones())),
    ("quint8", quietly(lambda: quantized(torch.quint8))),
]
STORAGES = [
    ("storage", lambda: ones().untyped_storage()),
    ("typed storage", quietly(lambda: ones().storage())),
    ("storage of a file", lambda: from_file().untyped_storage()),
    ("shared storage", lambda: ones().share_memory_().untyped_storage()),
]
SEVERAL = [
    ("sparse COO", lambda: ones().to_sparse()),
    ("sparse COO, not coalesced", lambda: torch.cat([ones().to_sparse()] * 2)),
    ("sparse CSR", quietly(lambda: ones().to_sparse_csr())),
    ("sparse CSC", quietly(lambda: ones().to_sparse_csc())),
    ("sparse BSR", quietly(lambda: ones().to_sparse_bsr((2, 2)))),
    ("sparse BSC", quietly(lambda: ones().to_sparse_bsc((2, 2)))),
    ("nested", quietly(lambda: torch.nested.nested_tensor([ones(), torch.ones(7, SIDE)]))),
    (
        "jagged",
        lambda: torch.nested.nested_tensor([ones(), torch.ones(7, SIDE)], layout=torch.jagged),
    ),
    ("masked", quietly(lambda: masked_tensor(ones(), ones(torch.bool)))),
    ("wrapper", lambda: TwoTensor(ones(), ones())),
    ("module", lambda: torch.nn.Sequential(torch.nn.Linear(SIDE, SIDE), torch.nn.Linear(SIDE, 8))),
    ("tied", Tied),
    ("state_dict", lambda: Tied().state_dict()),
    ("scripted", quietly(lambda: torch.jit.script(torch.nn.Linear(SIDE, SIDE)))),
    ("optimizer", optimizer),
    ("optimizer of named parameters", lambda: optimizer(named=True)),
    ("packed sequence", lambda: pack_sequence([ones(), ones()[:5]])),
    ("data set", lambda: torch.utils.data.TensorDataset(ones(), torch.ones(SIDE))),
]
# A single element is less than 1 MiB.
KINDS = [*(kind for kind in ONE_MEMORY if kind[0] != "no axes"), *STORAGES, *SEVERAL]
