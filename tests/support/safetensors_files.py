"""Write files in the safetensors format, sound and damaged."""

import json
from pathlib import Path

import numpy as np


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Write float32 arrays to a file, in order."""
    header, end = {"__metadata__": {"format": "np"}}, 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [begin, end]}
    data = b"".join(array.tobytes() for array in arrays.values())
    path.write_bytes(with_header(json.dumps(header).encode(), data))
    return path


def with_header(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a file with this header, and a true or another length."""
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data
