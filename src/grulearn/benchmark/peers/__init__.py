"""The libraries that grulearn is compared with; each is imported only when it is about to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from grulearn.benchmark.peers.protocol import Library, Model, Stream

__all__ = ["KNOWN", "Known", "Library", "Missing", "Model", "Stream", "open_libraries"]


@dataclass(frozen=True)
class Known:
    """A library that could be compared with.

    Parameters
    ----------
    key, label : str
        Its name in the JSON file, and in the tables.
    packages : tuple of str
        What must be importable for it.
    install : str
        The command that installs it.
    home : str
        The module with its class, and the class, as ``module:Class``.
    """

    key: str
    label: str
    packages: tuple[str, ...]
    install: str
    home: str

    def open(self, threads: int) -> Library:
        """Import the library and give it its number of threads."""
        module, _, name = self.home.partition(":")
        library: Library = getattr(import_module(module), name)(threads)
        return library


@dataclass(frozen=True)
class Missing:
    """A library that cannot be compared with here, and what to do about it."""

    key: str
    label: str
    reason: str


KNOWN: tuple[Known, ...] = (
    Known(
        "torch",
        "PyTorch",
        ("torch",),
        "pip install torch --index-url https://download.pytorch.org/whl/cpu",
        "grulearn.benchmark.peers.torch_peer:TorchLibrary",
    ),
    Known(
        "onnxruntime",
        "ONNX Runtime",
        ("onnxruntime", "onnx"),
        "pip install onnxruntime onnx",
        "grulearn.benchmark.peers.onnxruntime_peer:OnnxRuntimeLibrary",
    ),
    Known("jax", "JAX", ("jax", "jaxlib"), "pip install jax", "grulearn.benchmark.peers.jax_peer:JaxLibrary"),
)


def open_libraries(
    threads: int, known: Sequence[Known] | None = None
) -> tuple[tuple[Library, ...], tuple[Missing, ...]]:
    """Open those libraries that are installed.

    Parameters
    ----------
    threads : int
        Threads for each of them.
    known : sequence of Known, default=None
        The libraries to look for; None means all.

    Returns
    -------
    libraries : tuple of Library
    missing : tuple of Missing
        The others, with the reason.

    Examples
    --------
    >>> from grulearn.benchmark.peers import Known, open_libraries
    >>> _, missing = open_libraries(1, [Known("abacus", "Abacus", ("no_abacus",), "pip install abacus", "")])
    >>> missing[0].reason
    'not installed (pip install abacus)'
    """
    libraries: list[Library] = []
    missing: list[Missing] = []
    for candidate in KNOWN if known is None else known:
        absent = [name for name in candidate.packages if find_spec(name) is None]
        if not absent:
            try:
                libraries.append(candidate.open(threads))
            except ImportError as error:
                reason = f"installed, but cannot be imported: {error}"
                missing.append(Missing(candidate.key, candidate.label, reason))
            continue
        if candidate.packages[0] in absent:
            reason = f"not installed ({candidate.install})"
        else:
            names = " and ".join(absent)
            reason = (
                f"installed, but not {names}, which the comparison needs (pip install {' '.join(absent)})"
            )
        missing.append(Missing(candidate.key, candidate.label, reason))
    return tuple(libraries), tuple(missing)
