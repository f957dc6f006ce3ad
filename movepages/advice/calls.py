"""Functions that are run once under observation, and the memory that they work on."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from ..inputs.memory_of import memory_of
from ..inputs.registry import NoMemoryError
from ..system.topology import Topology
from .subjects import Subject, of_object

# Objects of other classes may be callable and hold memory, as modules of torch.
_FUNCTIONS = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType,
    functools.partial, np.ufunc, type,
)  # fmt: skip


def is_function(obj: object) -> bool:
    """Tell whether an object can only be called, and has no memory to look at."""
    return isinstance(obj, _FUNCTIONS)


def as_function(obj: object) -> Callable[..., Any]:
    """Return a callable.

    Raises
    ------
    TypeError
        It cannot be called.
    """
    if not callable(obj):
        raise TypeError(
            f"got arguments for a {type(obj).__name__}, which cannot be called; pass several "
            "objects as one list"
        )
    return cast("Callable[..., Any]", obj)


def of_call(
    args: Sequence[Any], result: object, machine: Topology
) -> tuple[list[Subject], tuple[str, ...]]:
    """Return the memory of the arguments and of the result of a call, and what was left out."""
    found: dict[str, Any] = {f"argument_{number}": each for number, each in enumerate(args, 1)}
    found["result"] = result
    held, notes = {}, []
    for name, each in found.items():
        try:
            if memory_of([each])[1].nbytes:
                held[name] = each
        except NoMemoryError:
            continue
        except TypeError as error:
            notes.append(f"{name.capitalize()} was not looked at: {error}.")
    return (of_object(held, machine) if held else []), tuple(notes)
