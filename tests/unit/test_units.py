"""Sizes and rates have one grammar and one meaning, wherever they are given."""

import math

import pytest

import movepages as mp
from movepages.cli.target import parse_target
from movepages.units import parse_rate, parse_size

# The same on every kernel.
pytestmark = pytest.mark.host

UNITS = {
    "": 1, "B": 1, "b": 1,
    "K": 1024, "k": 1024, "Ki": 1024, "KiB": 1024, "kib": 1024, "kB": 1000, "KB": 1000, "kb": 1000,
    "M": 1 << 20, "Mi": 1 << 20, "MiB": 1 << 20, "MB": 10**6, "mb": 10**6,
    "G": 1 << 30, "g": 1 << 30, "GiB": 1 << 30, "GB": 10**9,
    "T": 1 << 40, "TiB": 1 << 40, "TB": 10**12, "P": 1 << 50, "PiB": 1 << 50, "PB": 10**15,
}  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_units_mean_the_same_in_sizes_and_rates(unit):
    for number in ("1", "500", "1.5", "0.0625", "007"):
        if (size := float(number) * UNITS[unit]) < 1:
            continue
        for text in (number + unit, f"{number} {unit}", f" {number}  {unit} "):
            assert parse_size(text) == math.floor(size)
    if not unit.endswith("b"):
        assert parse_rate(f"1.5{unit}/s") == parse_rate(f"1.5 {unit}/s ") == 1.5 * UNITS[unit]


def test_large_sizes_are_exact():
    assert parse_size("9007199254740993") == 2**53 + 1
    assert parse_size("9007199254740.993kB") == 2**53 + 1
    assert parse_size("8191PiB") == 8191 << 50


@pytest.mark.parametrize(
    "text",
    [
        "", "MiB", "-1", "0", "0.1", "1.2.3", "5 apples", "nan", "1e9", "1.", ".5", "64MiB/s",
        "1 i", "1iB", "1 M B", "\u0661GiB", "1EB", "0x10",
    ],
)  # fmt: skip
def test_invalid_sizes(text):
    with pytest.raises(ValueError, match=r"expected (a size such as|at least 1 byte)"):
        parse_size(text)


@pytest.mark.parametrize("text", ["16384PiB", str(10**400)])
def test_sizes_beyond_64_bits(text):
    assert parse_size(str((1 << 64) - 1)) == (1 << 64) - 1
    with pytest.raises(ValueError, match="expected less than 16 EiB, got "):
        parse_size(text)


@pytest.mark.parametrize(("given", "rate"), [(1e9, 1e9), (3, 3.0), ("7/s", 7), ("0.5B/s", 0.5)])
def test_rates_without_a_unit(given, rate):
    assert parse_rate(given) == rate


@pytest.mark.parametrize(
    "given",
    [
        *("", "GiB/s", "2GiB", "-1/s", "0/s", 0, -1, math.nan, math.inf, "inf/s", "1GiB /m"),
        *([1], None, 10**400, f"{10**400}B/s"),
    ],
)
def test_invalid_rates(given):
    with pytest.raises(ValueError, match="limit: expected a rate like"):
        parse_rate(given)


@pytest.mark.parametrize("given", ["500Mb/s", "500mb/s", "1Gib/s", "8b/s"])
def test_bits_are_no_bytes(given):
    with pytest.raises(ValueError, match="a small b stands for bits"):
        parse_rate(given)


def test_all_arguments_are_read_in_the_same_way(monkeypatch):
    assert parse_target("interleave:0/4MiB") == mp.interleave([0], block=4 << 20)
    rates = []
    monkeypatch.setattr(
        "movepages.migration.job.Control", lambda *args, **_: rates.append(args[-1])
    )
    monkeypatch.setattr(
        "movepages.migration.job.executor.migrate", lambda *_: mp.MoveResult(pages=0)
    )
    mp.move(bytearray(10), 0, limit="500MB/s")
    assert rates == [500_000_000.0]
