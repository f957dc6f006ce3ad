"""What a move does with each page by sort_out(), compared with the same in Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from movepages import _core

NOT_ATTEMPTED = _core.NOT_ATTEMPTED
BEFORE = [NOT_ATTEMPTED, -14, -2, _core.HIDDEN, 0, 1, 2, 1023]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(BEFORE),
            st.sampled_from([-1, 0, 1, 2, 1023]),
        ),
        max_size=60,
    )
)
def test_each_page_has_a_status_and_those_to_move_are_grouped(pages):
    before, wanted = (np.array([page[k] for page in pages], np.int32) for k in (0, 1))
    addresses = np.arange(len(pages), dtype=np.uintp) * np.uintp(4096)
    status, there, index, moving, nodes = _core.sort_out(addresses, before, wanted)
    todo = []
    for i, (is_on, to) in enumerate(pages):
        # A hidden page is in memory, on an unknown node.
        in_memory = is_on >= 0 or is_on == _core.HIDDEN
        as_wanted = is_on == to or (to == -1 and not in_memory)
        assert there[i] == as_wanted
        assert status[i] == (NOT_ATTEMPTED if in_memory and not as_wanted else is_on)
        if in_memory and to not in (is_on, -1):
            todo.append((to, i))
    assert list(zip(nodes.tolist(), index.tolist(), strict=True)) == sorted(todo)
    assert np.array_equal(moving, addresses[index])


def test_arguments_out_of_bounds_are_rejected():
    one = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="expected node ids below MAX_NODES"):
        _core.sort_out(np.zeros(1, np.uintp), one, np.array([_core.MAX_NODES], np.int32))
    with pytest.raises(ValueError, match="one entry for each"):
        _core.sort_out(np.zeros(2, np.uintp), one, one)
