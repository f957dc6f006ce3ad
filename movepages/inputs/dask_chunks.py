"""The chunks of Dask collections that are persisted in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from ..pages.named import key_name
from .not_in_memory import not_here


def _collection(collection: Any) -> list[tuple[str, object]]:
    graph = collection.__dask_graph__()
    keys = list(_flat(collection.__dask_keys__()))
    if len(keys) == 1 and isinstance(keys[0], str):
        return [("value", _value(collection, graph, keys[0]))]
    return [(_name(collection, key), _value(collection, graph, key)) for key in keys]


def _name(collection: object, key: Any) -> str:
    """Return ``blocks[0, 1]`` or ``partitions[0]``; keys have a token that differs in each run."""
    if not isinstance(key, tuple):
        return key_name(key)
    part = "blocks" if hasattr(type(collection), "blocks") else "partitions"
    return f"{part}[{', '.join(map(str, key[1:])) or '()'}]"


def _frame(frame: Any) -> list[tuple[str, object]]:
    # Ask for the class first: the graph of another expression may take reading files to make.
    if type(frame.expr).__name__ != "FromGraph":
        raise _lazy(frame)
    return _collection(frame)


def _flat(keys: Any) -> Iterator[Any]:
    for each in keys:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


def _value(collection: object, graph: Any, key: Any) -> object:
    """Return what a key stands for, if it is in memory."""
    followed = set()
    while key not in followed:
        followed.add(key)
        value = graph[key]
        node = type(value).__name__ if type(value).__module__ == "dask._task_spec" else ""
        if node == "DataNode":
            return value.value
        if node == "Alias":
            key = value.target
        elif _is_key(value) and value in graph:
            key = value
        elif node or _is_task(value):
            break
        elif type(value).__module__.startswith("distributed."):
            raise not_here(
                collection,
                "with the workers of a Dask cluster",
                "use movepages.dask.survey(client) and movepages.dask.place(client, x)",
            )
        else:
            return value
    raise _lazy(collection)


def _is_key(value: object) -> TypeGuard[str | tuple[object, ...]]:
    # Versions of Dask before 2024.12 write an alias as the other key.
    return isinstance(value, str) or (
        isinstance(value, tuple) and all(isinstance(each, (str, int)) for each in value)
    )


def _is_task(value: object) -> bool:
    # The same versions write a task as a tuple with its function.
    return isinstance(value, tuple) and bool(value) and callable(value[0])


def _lazy(collection: object) -> TypeError:
    return not_here(collection, "lazy: not computed yet", "pass x.persist()")


ADAPTERS = {"DaskMethodsMixin": _collection, "FrameBase": _frame}
