"""Check that the sanitizers see a mistake in the environment of the tests.

python tests/sanitize/at_work.py COMPILER_OPTION...
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

MISTAKES = """
#include <cstdint>
#include <cstdlib>
extern "C" int past_the_end(int count) {
  auto* status = static_cast<volatile std::int32_t*>(std::malloc(sizeof(std::int32_t) * count));
  status[count] = 1;
  return status[count];
}
extern "C" int too_large(int count) { return count + 0x7fffffff; }
"""
FOUND = {"past_the_end": "heap-buffer-overflow", "too_large": "signed integer overflow"}
IMPORT = """
import movepages._core as core
print(core.__file__, "libasan" in open("/proc/self/maps").read())
"""
INSIDE = ("__asan_init", "__ubsan_handle_type_mismatch")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = os.environ | environment
    return subprocess.run(command, capture_output=True, text=True, env=everything)


def core_in_use() -> Path:
    """Return the path of the core that Python imports; it must contain both sanitizers."""
    imported = run(sys.executable, "-c", IMPORT)
    path, _, runtime = imported.stdout.strip().rpartition(" ")
    if runtime != "True":
        sys.exit(f"at_work: expected libasan in the process that imported the core, got {imported}")
    symbols = run("nm", "-D", "--undefined-only", path, LD_PRELOAD="").stdout
    missing = [name for name in INSIDE if name not in symbols]
    if missing:
        sys.exit(f"at_work: {path} was not built with the sanitizers: it does not use {missing}")
    return Path(path)


def main(options: list[str]) -> None:
    core = core_in_use()
    print(f"{core} refers to {' and '.join(INSIDE)}*, libasan is loaded")
    if not core.is_relative_to(Path.cwd()):
        sys.exit(f"at_work: expected a core below {Path.cwd()}")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "mistakes.cpp"), Path(folder, "mistakes.so")
        source.write_text(MISTAKES)
        compiler = ("g++", "-shared", "-fPIC", *options, source, "-o", library)
        run(*compiler, LD_PRELOAD="").check_returncode()
        for mistake, name in FOUND.items():
            code = f"import ctypes; ctypes.CDLL('{library}').{mistake}(4)"
            done = run(sys.executable, "-c", code)
            if done.returncode == 0 or name not in done.stderr:
                sys.exit(f"at_work: expected a report of {mistake}() in a library, got {done}")
            print(f"{mistake}() in a library that Python loads: {name}, exit {done.returncode}")


if __name__ == "__main__":
    main(sys.argv[1:])
