"""The project's commands, one session each: `nox -s dev` sets up, `nox` runs every check, `nox -l` lists all.

Each session makes its own virtual environment. In an environment that already has everything (as .ci/run
makes it) `nox --no-venv --no-install` runs the same checks without another install.
"""

from __future__ import annotations

import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "tests_torch", "lint", "types", "stubs", "docs"]

# Compiler warnings are errors where a check builds the core. A plain install stays lenient: a compiler newer
# than this project may know new warnings, and nobody should be kept from installing by them.
WARNINGS_ARE_ERRORS = ("-C", "cmake.define.GRULEARN_WERROR=ON")
STUB = Path("src/grulearn/_core.pyi")


@nox.session(venv_backend="none")
def dev(session: nox.Session) -> None:
    """Set up: a virtual environment in .venv with an editable install and all the tools."""
    session.run(sys.executable, "-m", "venv", ".venv")
    python = Path(".venv", "Scripts" if sys.platform == "win32" else "bin", "python").absolute()
    session.run(str(python), "-m", "pip", "install", "--upgrade", "pip", external=True)
    session.run(str(python), "-m", "pip", "install", "--editable", ".[dev]", external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite; arguments after -- go to pytest."""
    session.install(".[test]", *WARNINGS_ARE_ERRORS)
    session.run("pytest", *session.posargs)


@nox.session
def tests_torch(session: nox.Session) -> None:
    """Compare with PyTorch (tests/torch). Installs torch."""
    session.install(".[test-torch]", *WARNINGS_ARE_ERRORS)
    session.run("pytest", *(session.posargs or ["tests/torch"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting: Python with ruff, C++ with clang-format."""
    session.install(*_extra("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("clang-format", "--dry-run", "-Werror", *_cpp_files())


@nox.session(name="format")
def format_(session: nox.Session) -> None:
    """Rewrite the files as lint wants them."""
    session.install(*_extra("lint"))
    session.run("ruff", "check", "--fix", ".")
    session.run("ruff", "format", ".")
    session.run("clang-format", "-i", *_cpp_files())


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of src with mypy --strict."""
    session.install(".[types]")
    session.run("mypy", "--strict", "src")


@nox.session
def stubs(session: nox.Session) -> None:
    """Fail if _core.pyi is not what the built module gives; `-- --write` writes it anew."""
    session.install(".[stubs]")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "_core.pyi")
        session.run("python", "-m", "nanobind.stubgen", "-q", "-m", "grulearn._core", "-o", str(made))
        if "--write" in session.posargs:
            shutil.copyfile(made, STUB)
        elif not filecmp.cmp(made, STUB, shallow=False):
            session.run("diff", "-u", str(STUB), str(made), external=True, success_codes=[0, 1])
            session.error(f"{STUB} is not what the built module gives; run: nox -s stubs -- --write")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html; a warning is an error."""
    session.install(".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-E", "-b", "html", "docs", "docs/_build/html")


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example and keep what it prints, which the documentation shows. Installs torch."""
    session.install(".[test-torch]")
    for script in sorted(Path("examples").glob("**/*.py")):
        picture = [str(Path("docs/_static/article_curve.png"))] if script.stem == "curve_axis" else []
        printed = session.run("python", str(script), *picture, silent=True, stderr=None)
        (script.parent / "output" / f"{script.stem}.txt").write_text(str(printed), encoding="utf-8")


@nox.session
def bench(session: nox.Session) -> None:
    """Run `grulearn bench` beside PyTorch, ONNX Runtime and JAX; arguments after -- go to it."""
    session.install(".[test-torch]", "onnxruntime", "onnx", "jax")
    session.run("python", "benchmarks", *session.posargs)


def _extra(name: str) -> list[str]:
    """Return the requirements of an extra, for sessions that do not need the package itself."""
    return list(nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"][name])


def _cpp_files() -> list[str]:
    """Return every C++ source of the project."""
    endings = {".cpp", ".hpp", ".h", ".inl"}
    found = (path for room in ("cpp", "bindings") for path in Path(room).rglob("*"))
    return sorted(str(path) for path in found if path.suffix in endings)
