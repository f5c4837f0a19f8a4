"""The project's commands, one session each: `nox -s dev` sets up, `nox` runs every check, `nox -l` lists all.

Each session makes its own virtual environment. In an environment that already has everything (as .ci/run
makes it) `nox --no-venv --no-install` runs the same checks without another install.
"""

from __future__ import annotations

import filecmp
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "tests_torch", "native_tests", "lint", "types", "stubs", "docs"]

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
def native_tests(session: nox.Session) -> None:
    """Test the core without Python (tests/native), and what its kernel objects export."""
    program = _build_native(session, "native")
    _check_exports(session, program.parents[2])
    session.run(str(program), _native_cases(session), external=True)


@nox.session
def sanitizers(session: nox.Session) -> None:
    """Run the native tests under the address, undefined-behaviour and thread sanitizers."""
    for sanitizer in ("address", "undefined", "thread"):
        flags = f"-DCMAKE_CXX_FLAGS=-fsanitize={sanitizer} -fno-sanitize-recover=all -g1"
        program = _build_native(session, f"native-{sanitizer}", flags)
        # Everything is several times slower there; the quick cases run the same code.
        session.run(str(program), _native_cases(session), "--quick", external=True)


@nox.session
def kernels_aarch64(session: nox.Session) -> None:
    """Cross-compile the native tests for aarch64 and run the quick ones in an emulator."""
    _need(session, "aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu")
    _need(session, "qemu-aarch64", "qemu-user")
    program = _build_native(
        session,
        "native-aarch64",
        "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        "-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++",
        "-DCMAKE_EXE_LINKER_FLAGS=-static",
    )
    session.run("qemu-aarch64", str(program), _native_cases(session), "--quick", external=True)


@nox.session
def instruction_counts(session: nox.Session) -> None:
    """Compare the kernels' instruction counts with tests/native/instruction_counts.toml."""
    _need(session, "valgrind", "valgrind")
    program = _build_native(session, "native")
    session.run("python", "tests/native/count_instructions.py", str(program))


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
    found = (path for room in ("cpp", "bindings", "tests/native") for path in Path(room).rglob("*"))
    return sorted(str(path) for path in found if path.suffix in endings)


def _need(session: nox.Session, command: str, package: str) -> None:
    """Stop the session if a command is missing, and say what to install."""
    if shutil.which(command) is None:
        session.error(f"{command} is missing; on Debian or Ubuntu: apt install {package}")


def _build_native(session: nox.Session, folder: str, *options: str) -> Path:
    """Build the core and its test program, without Python, in build/; return the program."""
    session.install("cmake>=3.20", "ninja", "numpy>=2.1")
    build = Path("build", folder).absolute()
    switches = [f"-DGRULEARN_{name}=ON" for name in ("CORE_ONLY", "NATIVE_TESTS", "WERROR")]
    # The cache names tools of an environment that may be gone. (--fresh would remove what is compiled too.)
    (build / "CMakeCache.txt").unlink(missing_ok=True)
    session.run("cmake", "-G", "Ninja", "-S", ".", "-B", str(build), *switches, *options, external=True)
    session.run("cmake", "--build", str(build), external=True)
    return build / "tests" / "native" / "grulearn_native_tests"


def _native_cases(session: nox.Session) -> str:
    """Compute the cases of the native tests from the specification; return their file."""
    path = Path("build", "native_cases.bin")
    session.run("python", "tests/native/make_cases.py", str(path))
    return str(path)


def _check_exports(session: nox.Session, build: Path) -> None:
    """Fail if a kernel object exports anything but its table.

    The linker keeps one copy of what two objects share, weak symbols above all, and that could be the copy
    with instructions that the processor does not have.
    """
    _need(session, "nm", "binutils")
    objects = sorted(build.glob("CMakeFiles/grulearn_kernels_*.dir/cpp/kernels/*.o"))
    if not objects:
        session.error(
            f"no kernel objects in {build}; does CMakeLists.txt still name them grulearn_kernels_*?"
        )
    for path in objects:
        command = ("nm", "--demangle", "--defined-only", "--extern-only", str(path))
        lines = str(session.run(*command, external=True, silent=True)).splitlines()
        table = (
            rf"\w+ T grulearn::KernelTable<\w+> const& grulearn::{path.name.split('.')[0]}::table<\w+>\(\)"
        )
        if len(lines) != 1 or not re.fullmatch(table, lines[0]):
            session.error(f"{path} must export its table function alone, but nm shows:\n" + "\n".join(lines))
