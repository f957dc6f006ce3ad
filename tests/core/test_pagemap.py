"""What the core reads of this process's own page tables."""

import subprocess
from pathlib import Path

import pytest

from support.compiling import ADDRESS_SANITIZER, CORE, STRICT, compiler

SOURCE = Path(__file__).parent / "pagemap" / "own_pagemap.cpp"
NEEDED = [path for path in CORE if path.name == "pagemap.cpp"]

pytestmark = pytest.mark.host


def test_it_is_that_of_this_process_up_to_the_last_address(tmp_path):
    program = tmp_path / "own_pagemap"
    command = [*compiler(), *STRICT, *ADDRESS_SANITIZER, SOURCE, *NEEDED, "-o", program]
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("needs a huge page, and PAGEMAP_SCAN, which came with Linux 6.7")
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
