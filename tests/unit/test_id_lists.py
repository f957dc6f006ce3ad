"""The kernel's list format, parsed and formatted."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from movepages.system import sysfs

# The same on every kernel.
pytestmark = pytest.mark.host


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("\n", ()),
        ("", ()),
        ("0\n", (0,)),
        ("0-1,16-17\n", (0, 1, 16, 17)),
        ("0,2,4-6\n", (0, 2, 4, 5, 6)),
        ("\t0-1\n", (0, 1)),
    ],
)
def test_parse_ids(text, ids):
    assert sysfs.parse_ids(text) == ids


@pytest.mark.parametrize("text", ["a", "1-", "-1", "3-1", "1,,2", "0,", "1 2", "1_0", "٣", "0-8:2"])
def test_parse_ids_refuses(text):
    with pytest.raises(ValueError, match="neither an id nor"):
        sysfs.parse_ids(text)


def test_parse_ids_refuses_more_than_any_machine_has():
    assert sysfs.parse_ids("0,65535") == (0, 65535)
    for text in ("65536", "0-99999999999"):
        with pytest.raises(ValueError, match=f"'{text}': expected ids up to 65535"):
            sysfs.parse_ids(text)


def test_format_ids_as_the_kernel_does():
    assert sysfs.format_ids([17, 0, 1, 16, 5]) == "0-1,5,16-17"
    assert sysfs.format_ids([]) == ""


@given(st.sets(st.integers(0, 300)))
def test_list_format_round_trip(ids):
    text = sysfs.format_ids(ids)
    assert sysfs.parse_ids(text + "\n") == tuple(sorted(ids))
    # Canonical: neighbouring ranges never touch, as in the kernel's %*pbl.
    bounds = [[int(end) for end in part.split("-")] for part in text.split(",") if part]
    assert all(b[0] - a[-1] > 1 for a, b in itertools.pairwise(bounds))
