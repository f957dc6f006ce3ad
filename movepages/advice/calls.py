"""Functions that are run once under observation, and the memory that they work on."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from ..inputs.memory_of import memory_of
from ..inputs.registry import NoMemoryError, adapter_for
from .subjects import Subject, of_object, refuse_others

# Objects of other classes may be callable and hold memory, as modules of torch do.
_FUNCTIONS = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType,
    functools.partial, np.ufunc, type,
)  # fmt: skip


def is_function(obj: object) -> bool:
    """Tell whether an object can only be called, and has no memory to look at."""
    if isinstance(obj, _FUNCTIONS) or not callable(obj):
        return isinstance(obj, _FUNCTIONS)
    try:
        memory_of(obj)
    except TypeError:
        # What is known to hold memory has a reason why that cannot be looked at.
        return adapter_for(type(obj)) is None
    except ValueError:
        pass
    return False


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


def of_call(args: Sequence[Any], result: object) -> tuple[list[Subject], tuple[str, ...]]:
    """Return the memory of the arguments and of the result of a call, and what was left out."""
    found: dict[str, Any] = {f"argument_{number}": each for number, each in enumerate(args, 1)}
    found["result"] = result
    held, notes = {}, []
    for name, each in found.items():
        try:
            pages = memory_of([each])[1]
            refuse_others(pages)
            if pages.nbytes:
                held[name] = each
        except NoMemoryError:
            continue
        except (TypeError, ValueError) as error:
            notes.append(f"{name.capitalize()} was not looked at: {str(error).rstrip('.')}.")
    return (of_object(held) if held else []), tuple(notes)
