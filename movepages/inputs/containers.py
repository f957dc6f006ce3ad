"""Members of lists, tuples, mappings and dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..pages.named import key_name


def container_members(obj: object) -> Iterator[tuple[str, object]] | None:
    """Return the members of a container with their names; None if `obj` is no container."""
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return zip(cast(Any, obj)._fields, obj, strict=True)
    if isinstance(obj, (list, tuple)):
        return ((f"[{index}]", each) for index, each in enumerate(obj))
    if isinstance(obj, Mapping):
        return ((key_name(key), each) for key, each in obj.items())
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return ((each.name, getattr(obj, each.name)) for each in dataclasses.fields(obj))
    return None


def join_names(parent: str, name: str) -> str:
    """Return the name of a member of a member: ``layers.0``, ``df['price']``, ``arrays[2]``."""
    return f"{parent}{name}" if not parent or name.startswith("[") else f"{parent}.{name}"
