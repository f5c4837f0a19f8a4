"""The package's face: its names, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import grulearn
from grulearn import _core


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_exported_names():
    assert sorted(grulearn.__all__) == [
        "GRU",
        "GRUClassifier",
        "GRURegressor",
        "LossCurveDisplay",
        "ModelFileError",
        "Sequences",
        "__version__",
        "datasets",
        "equations",
        "inspection",
        "load",
    ]
    assert dir(grulearn) == sorted(grulearn.__all__)
    for name in grulearn.__all__:
        assert getattr(grulearn, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'LSTM'"):
        _ = grulearn.LSTM


def test_importing_loads_nothing_else():
    """Names resolve when they are used, so the import costs what Python's own modules cost."""
    done = run("import sys, grulearn; print(sorted({n.split('.')[0] for n in sys.modules}))")
    loaded = set(eval(done.stdout))
    heavy = {
        "numpy",
        "sklearn",
        "scipy",
        "pandas",
        "narwhals",
        "matplotlib",
        "typer",
        "rich",
        "torch",
        "safetensors",
        "joblib",
    }
    assert not loaded & heavy


@pytest.mark.parametrize("name", ["GRU", "Sequences"])
def test_arrays_do_not_need_the_estimators(name):
    done = run(
        f"import sys, grulearn; grulearn.{name}; "
        "print({'sklearn', 'pandas', 'narwhals'} & set(sys.modules))"
    )
    assert done.stdout.strip() == "set()"


def test_version_is_the_distributions():
    from importlib.metadata import version

    assert grulearn.__version__ == version("grulearn")


def test_instruction_set_can_be_chosen():
    code = "from grulearn import _core; print(_core.instruction_set())"
    for isa in _core.instruction_sets():
        assert run(code, GRULEARN_ISA=isa).stdout.strip() == isa
    assert run(code, GRULEARN_ISA="").stdout.strip() == _core.instruction_sets()[0]


def test_an_unknown_instruction_set_is_refused_at_import():
    done = run("from grulearn import _core", GRULEARN_ISA="avx1024")
    assert done.returncode != 0
    assert "GRULEARN_ISA: instruction set 'avx1024'" in done.stderr
    assert "baseline" in done.stderr
