"""What pyarrow itself says of the memory of an array."""

import pyarrow as pa


def buffers_of(obj) -> dict[int, int]:
    """Return the size of each buffer by its address, dictionaries included."""
    if isinstance(obj, pa.Table | pa.RecordBatch):
        parts = obj.columns
    elif isinstance(obj, pa.ChunkedArray):
        parts = obj.chunks
    elif isinstance(obj, pa.DictionaryArray):
        parts = [obj.indices, obj.dictionary]
    elif isinstance(obj, pa.ExtensionArray):
        parts = [obj.storage]
    else:
        return {each.address: each.size for each in obj.buffers() if each is not None}
    return {address: size for part in parts for address, size in buffers_of(part).items()}
