"""The example of a torch model runs, and puts its layers where it says."""

import subprocess
import sys
from itertools import cycle

import pytest

import movepages as mp

torch = pytest.importorskip("torch")


def test_the_example_runs(request) -> None:
    script = request.config.rootpath / "examples" / "torch_model.py"
    done = subprocess.run(
        [sys.executable, script, "--size", "64"], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "layers.7: 8 MiB in" in done.stdout
    assert "the model's answer is the same as before" in done.stdout


@pytest.fixture
def example(request, monkeypatch):
    monkeypatch.syspath_prepend(request.config.rootpath / "examples")
    return pytest.importorskip("torch_model")


def test_the_model_has_the_size_that_is_asked_for(example) -> None:
    model = example.build(64 << 20)
    found = mp.where(model)
    assert 64 << 20 <= found.nbytes < 65 << 20
    assert found.nbytes == sum(each.nbytes for each in model.parameters())


def test_each_layer_is_on_the_next_node(example, nodes) -> None:
    model = example.build(64 << 20)
    result = example.interleave_layers(model, list(nodes))
    assert list(result.by_member) == [name for name, _ in model.named_parameters()]
    placements = mp.where(model)
    for index, node in zip(range(len(model.layers)), cycle(nodes), strict=False):
        layer = placements.below(f"layers.{index}")
        # Neighbours share pages at their ends, which go with the larger part.
        assert layer.bytes_per_node[node] > 0.99 * layer.nbytes
