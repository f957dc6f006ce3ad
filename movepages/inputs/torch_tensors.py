"""Memory of torch tensors and storages on the CPU."""

from __future__ import annotations

import sys
from typing import Any

from ..pages.memory import Memory
from .registry import Pairs

# By layout: the methods that return the tensors within, which share their memory. `indices` and
# `values` of a COO tensor ask for a coalesced one, which may be a copy.
_CSR = {"crow_indices": "crow_indices", "col_indices": "col_indices", "values": "values"}
_CSC = {"ccol_indices": "ccol_indices", "row_indices": "row_indices", "values": "values"}
_PARTS = {
    "torch.sparse_coo": {"indices": "_indices", "values": "_values"},
    "torch.sparse_csr": _CSR,
    "torch.sparse_bsr": _CSR,
    "torch.sparse_csc": _CSC,
    "torch.sparse_bsc": _CSC,
}


def _tensor(tensor: Any) -> Memory | Pairs:
    # A subclass can have each access to its tensors go through code of its own, which may copy.
    with sys.modules["torch"]._C.DisableTorchFunctionSubclass():
        if hasattr(type(tensor), "__tensor_flatten__"):
            return _wrapped(tensor)
        _refuse_devices(tensor)
        if tensor.is_nested:
            return [(f"[{index}]", each) for index, each in enumerate(tensor.detach().unbind())]
        layout = str(tensor.layout)
        if layout == "torch.strided":
            return _strided(tensor)
        parts = _PARTS.get(layout, {})
        if not parts or not all(hasattr(tensor, method) for method in parts.values()):
            raise TypeError(
                f"a tensor of layout {layout} does not say where its memory is; pass strided or "
                "sparse tensors"
            )
        return [(name, getattr(tensor, method)()) for name, method in parts.items()]


def _strided(tensor: Any) -> Memory:
    itemsize, shape, strides = tensor.element_size(), tensor.shape, tensor.stride()
    try:
        # data_ptr() copies a copy-on-write tensor, because its caller may write.
        address = getattr(tensor, "const_data_ptr", tensor.data_ptr)()
        held = tensor.untyped_storage().nbytes()
    except RuntimeError:
        raise _without_memory(tensor) from None
    if tensor.numel():
        if not held:
            raise ValueError("the storage of this tensor is freed; pass tensors that have theirs")
        if not address:
            raise _without_memory(tensor)
        before = tensor.storage_offset() * itemsize
        last = sum(stride * (count - 1) for stride, count in zip(strides, shape, strict=True))
        if before + (last + 1) * itemsize > held:
            # Several elements share a byte, as of torch.quint4x2.
            return Memory(address - before, (held,), (1,), 1, tensor)
    return Memory(address, shape, [stride * itemsize for stride in strides], itemsize, tensor)


def _wrapped(tensor: Any) -> Pairs:
    """Return the tensors in one that is made of others, such as a DTensor or a quantized one."""
    names = tensor.__tensor_flatten__()[0]
    found = [(name, getattr(tensor, name)) for name in names]
    for name, inner in found:
        if inner is not getattr(tensor, name):
            raise TypeError(
                f"{name} of this {type(tensor).__name__} is made anew each time it is asked for, "
                "perhaps as a copy; pass the tensors that it is made from"
            )
    return [
        (name, inner) for name, inner in found if isinstance(inner, sys.modules["torch"].Tensor)
    ]


def _jagged(tensor: Any) -> Pairs:
    return [
        ("values", tensor.values()),
        ("offsets", tensor.offsets()),
        ("lengths", tensor.lengths()),
    ]


def _masked(tensor: Any) -> Pairs:
    return [("data", tensor.get_data()), ("mask", tensor.get_mask())]


def _untyped_storage(storage: Any) -> Memory:
    _refuse_devices(storage)
    try:
        address = _address(storage)
    except RuntimeError:
        raise _without_memory(storage) from None
    if not address and storage.nbytes():
        raise _without_memory(storage)
    return Memory(address, (storage.nbytes(),), (1,), 1, storage)


def _address(storage: Any) -> int:
    # data_ptr() of a storage copies it if it is copy-on-write; that of a tensor need not.
    torch = sys.modules["torch"]
    whole = torch.empty(0, dtype=torch.uint8).set_(storage)
    look = getattr(whole, "const_data_ptr", storage.data_ptr)
    return int(look())


def _typed_storage(storage: Any) -> Memory:
    # The public method warns that the class is deprecated.
    untyped = getattr(storage, "_untyped_storage", None)
    return _untyped_storage(storage.untyped() if untyped is None else untyped)


def _refuse_devices(obj: Any) -> None:
    if obj.device.type != "cpu":
        raise TypeError(
            f"this {type(obj).__name__} is on device {obj.device}: it is not in this process's "
            "memory; pass tensors whose device is cpu"
        )


def _refuse_fake(tensor: Any) -> None:
    raise TypeError(
        f"a {type(tensor).__name__} has a shape and no data: it is not in this process's memory; "
        "pass the tensor that it stands for"
    )


def _refuse_uninitialized(tensor: Any) -> None:
    raise TypeError(
        f"this {type(tensor).__name__} has no memory yet; call its module once, so that the shape "
        "is known, and pass it then"
    )


def _without_memory(obj: Any) -> TypeError:
    return TypeError(
        f"this {type(obj).__name__} has no memory of its own: it stands for other tensors, as "
        "inside torch.vmap, torch.func.grad or torch.compile; pass those"
    )


ADAPTERS = {
    "Tensor": _tensor,
    "NestedTensor": _jagged,
    "MaskedTensor": _masked,
    "FakeTensor": _refuse_fake,
    "UninitializedParameter": _refuse_uninitialized,
    "UninitializedBuffer": _refuse_uninitialized,
    "UntypedStorage": _untyped_storage,
    "TypedStorage": _typed_storage,
}
