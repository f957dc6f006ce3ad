"""Tensors of torch modules, optimizers and data sets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NoReturn

from ..pages.named import key_name
from . import torch_tensors
from .containers import join_names
from .registry import NoMemoryError, Pairs


def _module(module: Any) -> Iterator[tuple[str, object]]:
    """Yield parameters and buffers, as in state_dict(), and C++ objects, which are refused.

    Tensors that are plain attributes, such as ``self.table = torch.zeros(9)``, are left out:
    state_dict() and Module.to() leave them out, too.
    """
    # A tied weight has each of its names, as in state_dict(). Its bytes count once in the total.
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            # The packed weights of a quantized module. Without them, its size would be wrong.
            if type(value).__name__ == "ScriptObject":
                yield join_names(path, name), value


def _script_object(_: Any) -> NoReturn:
    raise TypeError(
        "torch does not say where a ScriptObject, such as the packed weights of a quantized "
        "module, has its memory; pass the module before it is quantized, or the parts that are "
        "not: list(model.parameters())"
    )


def _optimizer(optimizer: Any) -> Pairs:
    if not optimizer.state:
        raise NoMemoryError(optimizer, ": an optimizer gets its state at its first step()")
    return _state(optimizer)


def _value(value: Any) -> NoReturn:
    raise NoMemoryError(value)


def _state(optimizer: Any) -> Iterator[tuple[str, object]]:
    """Yield the state of each parameter, by the parameter's name if it was given, or number."""
    names: dict[int, str] = {}
    for group in optimizer.param_groups:
        for parameter, name in zip_longest(group["params"], group.get("param_names") or ()):
            # state_dict() of the optimizer numbers them in the same way.
            names[id(parameter)] = name or key_name(len(names))
    for key, state in optimizer.state.items():
        name = names.get(id(key)) or key_name(key if isinstance(key, str) else len(names))
        yield join_names("state", name), state


def _data_set(data_set: Any) -> Iterator[tuple[str, object]]:
    yield "tensors", data_set.tensors


ADAPTERS = {
    **torch_tensors.ADAPTERS,
    "Module": _module,
    "Optimizer": _optimizer,
    "ScriptObject": _script_object,
    "TensorDataset": _data_set,
    **dict.fromkeys(["device", "dtype", "layout", "memory_format"], _value),
}
