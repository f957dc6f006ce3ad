"""Surveys by page frame numbers, with the queries to the kernel counted."""

import subprocess
from pathlib import Path

import pytest

from support.compiling import ADDRESS_SANITIZER, CORE, STRICT, compiler

SOURCE = Path(__file__).parent / "by_number" / "survey_by_number.cpp"

pytestmark = pytest.mark.host


def test_frame_numbers_are_used_if_the_kernel_agrees(tmp_path, need_root):
    program = tmp_path / "by_number"
    command = [*compiler(), *STRICT, *ADDRESS_SANITIZER, "-pthread", SOURCE, *CORE, "-o", program]
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("needs PAGEMAP_SCAN and page frame numbers, which this process cannot read")
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
