"""What an import of the package loads: its names, and nothing that is not used."""

import ast
import importlib.util
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import movepages as mp
from movepages.cli.schema import COMMANDS

# The same on every kernel, and slow under emulation.
pytestmark = pytest.mark.host

STUB = Path(mp.__file__).with_suffix(".pyi")


def modules_after(code):
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("name", mp.__all__)
def test_every_name_is_there(name):
    assert name in dir(mp)
    assert getattr(mp, name) is not None


def test_stub_has_the_same_names_from_the_same_modules():
    imports = [n for n in ast.parse(STUB.read_text()).body if isinstance(n, ast.ImportFrom)]
    told = {node.module: {each.name for each in node.names} for node in imports}
    assert told == {home: set(names) for home, names in mp._HOMES.items()}
    stub = next(n for n in ast.parse(STUB.read_text()).body if isinstance(n, ast.Assign))
    assert sorted(ast.literal_eval(stub.value)) == sorted(mp.__all__)


def test_no_module_hides_a_name():
    modules = {each.name for each in pkgutil.iter_modules(mp.__path__)}
    assert modules & set(mp.__all__) == set()


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'wher'"):
        mp.wher  # noqa: B018


@pytest.mark.parametrize("name", ["where", "topology"])
def test_source_without_its_core_says_what_to_do(tmp_path, name):
    """As in a clone, where Python finds the source before the installed package."""
    leave_out = shutil.ignore_patterns("_core*.so", "__pycache__")
    shutil.copytree(Path(mp.__file__).parent, tmp_path / "movepages", ignore=leave_out)
    # The finder of an editable install would find the core elsewhere.
    code = f"""
import sys
sys.meta_path = [each for each in sys.meta_path if "editable" not in each.__module__]
import movepages
movepages.{name}
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "start Python in another folder" in done.stderr.splitlines()[-1]


def test_the_import_alone_loads_nothing_else():
    found = modules_after("import movepages") - modules_after("")
    assert {name for name in found if name.startswith("movepages")} == {"movepages"}
    assert found <= {
        "movepages",
        "importlib",
        "importlib._bootstrap",
        "importlib._bootstrap_external",
        "warnings",
    }


def test_no_name_warns():
    # An extension that needs the GIL would make a free-threaded Python warn.
    code = "import movepages as mp\nfor name in mp.__all__:\n    getattr(mp, name)"
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_optional_packages_are_not_loaded():
    work = """
import movepages as mp, numpy as np
a = np.ones(1 << 20)
mp.move(a, mp.where(a))
mp.plan(a, mp.interleave(mp.topology().allowed_nodes))
mp.process().regions()
for name in mp.__all__:
    getattr(mp, name)
"""
    found = {name.partition(".")[0] for name in modules_after(work)}
    optional = {"rich", "tqdm", "matplotlib", "pandas", "pytest", "dask", "distributed", "mpi4py"}
    optional |= {"shtab", "IPython"}
    assert importlib.util.find_spec("rich")
    assert found & optional == set()
    assert "logging" not in modules_after("import movepages as mp\nmp.where(bytearray(1))")


def modules_after_command(*arguments):
    return modules_after(f"""
import contextlib, io
from movepages.cli import main
with (
    contextlib.suppress(SystemExit),
    contextlib.redirect_stdout(io.StringIO()),
    contextlib.redirect_stderr(io.StringIO()),
):
    main({arguments})
""")


@pytest.mark.parametrize("arguments", [(), ("--version",), ("--help",), ("nonsense",)])
def test_a_command_line_without_a_command_loads_no_command(arguments):
    found = modules_after_command(*arguments)
    assert {name for name in found if name.startswith("movepages")} == {
        "movepages",
        "movepages._core",
        "movepages.cli",
        *(f"movepages.cli.{name}" for name in ("commands", "completion", "failures")),
        *(f"movepages.cli.{name}" for name in ("json_help", "json_output", "schema")),
        "movepages.system",
        "movepages.system.refusals",
        *(["movepages.cli.suggestions"] if arguments == ("nonsense",) else []),
    }
    assert found & {"numpy", "rich", "shtab", "importlib.resources"} == set()


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--help",)])
def test_topology_needs_neither_numpy_nor_another_command(arguments):
    found = modules_after_command("topology", *arguments)
    assert "movepages.cli.topology" in found
    assert found & {"numpy", "rich", "movepages.cli.where", "movepages.cli.regions"} == set()


def test_where_loads_no_other_command_and_nothing_that_moves():
    found = modules_after_command("where", __file__)
    assert "movepages.cli.where" in found
    others = {f"movepages.cli.{name}" for name in COMMANDS if name != "where"}
    assert found & {*others, "rich", "movepages.migration", "movepages.processes"} == set()


def test_error_for_sources_that_are_not_compiled():
    code = "import sys; sys.modules['movepages._core'] = None\n"
    code += "import movepages as mp; mp.where(bytearray(1))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ModuleNotFoundError: {Path(mp.__file__).parent} is movepages' source")
    assert last.endswith("install the source: pip install -e .")


@pytest.mark.parametrize(
    ("extra", "package"), [("dask", "distributed"), ("dask", "dask"), ("mpi", "mpi4py")]
)
def test_an_extra_that_is_missing_is_named(extra, package):
    code = f"import sys; sys.modules[{package!r}] = None; import movepages.{extra}"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: movepages.{extra} needs the package ")
    assert last.endswith(f": pip install 'movepages[{extra}]'")
