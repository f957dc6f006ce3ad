"""Members of Arrow arrays, chunks and tables of pyarrow: the buffers.

An array may be a slice of others' buffers, which are cut to the slice. The offsets tell which
characters of strings and which values of lists it uses; if reading the offsets would fault in
memory, these count as a whole. So do the characters of views, which may be anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ..pages.memory import Memory
from ..pages.named import key_name
from .arrow_offsets import offset_bits, values_used
from .registry import NoMemoryError, Pairs, adapter_for


def arrow_members(array: Any) -> Pairs:
    """Return the members of an array, chunked array or table of pyarrow."""
    adapter = adapter_for(type(array))
    if adapter is None:
        raise TypeError(
            f"got a {type(array).__name__}, whose buffers are not known; pass them: its buffers()"
        )
    return cast(Pairs, adapter(array))


def chunk_members(chunks: Sequence[Any]) -> Pairs:
    """Return the members of the only chunk, or the chunks as members."""
    return arrow_members(chunks[0]) if len(chunks) == 1 else _chunks(chunks)


def _chunks(chunks: Sequence[Any]) -> Pairs:
    return ((f"[{index}]", chunk) for index, chunk in enumerate(chunks))


def _fixed_width(array: Any) -> Pairs:
    try:
        width = array.type.bit_width
    except ValueError:
        raise TypeError(
            f"the buffers of Arrow arrays of type {array.type} are not known; pass array.buffers()"
        ) from None
    validity, data = array.buffers()
    return _buffers(array, ("validity", validity, 1), ("data", data, width))


def _variable_width(array: Any) -> Pairs:
    validity, offsets, data = array.buffers()
    yield from _buffers(array, ("validity", validity, 1))
    yield from _offsets(array, offsets)
    if data is not None:
        yield "data", buffer_memory(data, *(values_used(array) or ()))


def _views(array: Any) -> Pairs:
    validity, views, *data = array.buffers()
    yield from _buffers(array, ("validity", validity, 1), ("views", views, 128))
    for index, buffer in enumerate(data):
        yield f"data[{index}]", buffer_memory(buffer)


def _list(array: Any) -> Pairs:
    validity, offsets = array.buffers()[:2]
    yield from _buffers(array, ("validity", validity, 1))
    yield from _offsets(array, offsets)
    yield "values", _used(array, array.values)


def _map(array: Any) -> Pairs:
    validity, offsets = array.buffers()[:2]
    yield from _buffers(array, ("validity", validity, 1))
    yield from _offsets(array, offsets)
    yield "keys", _used(array, array.keys)
    yield "items", _used(array, array.items)


def _used(array: Any, values: Any) -> Any:
    """Return the part of the values that the lists of an array use."""
    used = values_used(array)
    return values if used is None else values.slice(used[0], used[1] - used[0])


def _list_view(array: Any) -> Pairs:
    validity, offsets, sizes = array.buffers()[:3]
    width = offset_bits(array)
    yield from _buffers(
        array, ("validity", validity, 1), ("offsets", offsets, width), ("sizes", sizes, width)
    )
    yield "values", array.values


def _fixed_size_list(array: Any) -> Pairs:
    size = array.type.list_size
    yield from _buffers(array, ("validity", array.buffers()[0], 1))
    yield "values", array.values.slice(array.offset * size, len(array) * size)


def _struct(array: Any) -> Pairs:
    yield from _buffers(array, ("validity", array.buffers()[0], 1))
    yield from _fields(array)


def _union(array: Any) -> Pairs:
    _, types, *more = array.buffers()
    yield from _buffers(array, ("types", types, 8))
    if array.type.mode == "dense":
        yield from _buffers(array, ("offsets", more[0], 32))
    yield from _fields(array)


def _fields(array: Any) -> Pairs:
    for index in range(array.type.num_fields):
        yield key_name(array.type[index].name), array.field(index)


def _dictionary(array: Any) -> Pairs:
    yield "indices", array.indices
    yield "dictionary", array.dictionary


def _run_ends(array: Any) -> Pairs:
    yield "run_ends", array.run_ends
    yield "values", array.values


def _nulls(array: Any) -> Pairs:
    raise NoMemoryError(array)


def _columns(table: Any) -> Pairs:
    return zip(map(key_name, table.schema.names), table.columns, strict=True)


def _stream(reader: Any) -> Pairs:
    raise TypeError(
        f"got a {type(reader).__name__}, which is read only once; pass the table that you read "
        "from it"
    )


def _scalar(scalar: Any) -> Pairs:
    raise TypeError(
        f"got a pyarrow {type(scalar).__name__}, which is a value; pass a slice of the array, such "
        "as array[i:i+1]"
    )


def _offsets(array: Any, offsets: Any) -> Pairs:
    """Yield the offsets, of which there is one more than elements."""
    if offsets is not None and len(array):
        width = offset_bits(array)
        begin, end = array.offset * width // 8, (array.offset + len(array) + 1) * width // 8
        yield "offsets", buffer_memory(offsets, begin, end, width // 8)


def _buffers(array: Any, *parts: tuple[str, Any, int]) -> Pairs:
    """Yield the slice's part of each buffer that there is: (name, buffer, bits of an element)."""
    first, last = array.offset, array.offset + len(array)
    for name, buffer, width in parts:
        if buffer is not None:
            begin, end = first * width // 8, -(-last * width // 8)
            yield name, buffer_memory(buffer, begin, end, max(width // 8, 1))


def buffer_memory(buffer: Any, begin: int = 0, end: int | None = None, itemsize: int = 1) -> Memory:
    """Return some bytes of a buffer of pyarrow.

    Raises
    ------
    TypeError
        The buffer is on a device.
    """
    if not buffer.is_cpu:
        raise TypeError(
            "this Arrow buffer is on a device, not in this process's memory; pass an array in main "
            "memory"
        )
    end = buffer.size if end is None else end
    count = (min(end, buffer.size) - begin) // itemsize
    return Memory(buffer.address + begin, (max(count, 0),), (itemsize,), itemsize, buffer)


ADAPTERS = {
    "Array": _fixed_width,
    "BinaryArray": _variable_width,
    "BinaryViewArray": _views,
    "Buffer": buffer_memory,
    "ChunkedArray": lambda array: _chunks(array.chunks),
    "DictionaryArray": _dictionary,
    "ExtensionArray": lambda array: arrow_members(array.storage),
    "FixedSizeListArray": _fixed_size_list,
    "LargeBinaryArray": _variable_width,
    "LargeListArray": _list,
    "LargeListViewArray": _list_view,
    "LargeStringArray": _variable_width,
    "ListArray": _list,
    "ListViewArray": _list_view,
    "MapArray": _map,
    "NullArray": _nulls,
    "RecordBatch": _columns,
    "RecordBatchReader": _stream,
    "RunEndEncodedArray": _run_ends,
    "Scalar": _scalar,
    "StringArray": _variable_width,
    "StringViewArray": _views,
    "StructArray": _struct,
    "Table": _columns,
    "UnionArray": _union,
}
