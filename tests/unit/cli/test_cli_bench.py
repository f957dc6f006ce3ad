"""``movepages bench``: what it measures and compares, and what it reports of huge pages."""

import contextlib
import io

import numpy as np
import pytest

import movepages as mp
from cli_fixtures import json_of
from movepages.cli import main
from support import processes, system

pytestmark = pytest.mark.host

PR_SET_THP_DISABLE = 41


def test_bench_compares_answers(capsys):
    found = json_of(capsys, "bench", "--size=2MiB")
    assert [case["pages"] for case in found["cases"]] == ["small", "huge"]
    looks = ("where_seconds", "query_seconds", "asked_seconds")
    assert all(case[look] > 0 for case in found["cases"] for look in looks)
    assert found["cases"][0]["huge_nbytes"] == 0
    assert (found["cases"][0]["move_seconds"] is None) == (len(mp.topology().allowed_nodes) < 2)
    assert main(["bench", "--size=2MiB"]) == 0
    assert "all give the same answer for every page" in capsys.readouterr().out


def test_bench_reports_missing_huge_pages():
    def without():
        system.succeed(system.libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main(["bench", "--size=4MiB"]) == 0
        return out.getvalue()

    assert "Only 0 B of the array for huge pages is in huge pages" in processes.run_as(
        None, without
    )


@pytest.mark.parametrize(
    ("name", "call"), [("mempolicy_nodes", "get_mempolicy"), ("move_pages", "move_pages")]
)
def test_bench_ends_when_answers_differ(name, call, monkeypatch, capsys):
    monkeypatch.setattr(mp, name, lambda pages: np.full(len(pages), 99, np.int32))
    assert main(["bench", "--size=1MiB"]) == 1
    assert f"where() and {call}(2) differ" in capsys.readouterr().err
