"""Where a library's arrays are, and where movepages finds them."""

import movepages as mp
from movepages.inputs.memory_of import memory_of


def at(array):
    """Return the address and bytes of a numpy array."""
    return array.ctypes.data, array.nbytes


def by_name(obj):
    """Return the place of each member, at two calls."""
    found, again = (
        {name: (each.address, each.nbytes) for name, each in mp.where(obj).items()}
        for _ in range(2)
    )
    assert found == again
    return found


def check_not_copied(obj) -> None:
    """Check that two looks at an object find the same memory."""
    # Both are kept, so a copy could not be in the same place twice.
    first, second = memory_of(obj)[0], memory_of(obj)[0]
    looks = [getattr(each, "arrays", [each]) for each in (first, second)]
    places = [[(memory.address, memory.shape) for memory in look] for look in looks]
    assert places[0] == places[1]
    assert mp.where(obj).nbytes >= 1 << 20
