"""The check of the includes between folders of csrc/."""

import shutil
import subprocess
import sys

import pytest

from support.compiling import ROOT

CHECK = ROOT / ".ci" / "includes.py"

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(
        not CHECK.exists(), reason="needs .ci/includes.py, which an sdist does not contain"
    ),
]


def check(folder):
    return subprocess.run([sys.executable, CHECK, folder], capture_output=True, text=True)


@pytest.fixture
def core(tmp_path):
    return shutil.copytree(ROOT / "csrc", tmp_path / "csrc")


def test_the_core_has_no_fault():
    done = check(ROOT / "csrc")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("kernel/kernel.cpp", '#include "driver/pace.hpp"', "kernel/ may use nothing"),
        ("driver/pace.hpp", '#include "survey/survey.hpp"', "driver/ may use kernel"),
        ("heap/slabs.cpp", '#  include "survey/survey.hpp"', "heap/ may use kernel"),
        ("survey/survey.cpp", '#include "binding/move.hpp"', "survey/ may use"),
        ("survey/survey.cpp", "#include <pybind11/numpy.h>", "Python belongs in binding/"),
        ("heap/slabs.hpp", "#include <Python.h>", "Python belongs in binding/"),
        ("driver/pace.cpp", '#include "pace.hpp"', "not a path from csrc/"),
        ("driver/pace.cpp", '#include "../kernel/kernel.hpp"', "not a path from csrc/"),
        ("other/new.cpp", "", "BELOW has no such folder"),
        ("new.cpp", "", "BELOW has no such folder"),
    ],
)
def test_a_planted_fault_is_found(core, file, line, told):
    path = core / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{line}\n{path.read_text() if path.exists() else ''}")
    done = check(core)
    assert done.returncode == 1
    assert [fault for fault in done.stderr.splitlines() if told in fault and file in fault]
