"""The parts of the benchmark, one module each; loaded when they are run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from grulearn.benchmark.peers.protocol import Library
from grulearn.benchmark.report import Table
from grulearn.benchmark.settings import Settings

__all__ = ["DEFAULT", "SECTIONS", "Context", "Section", "load_section"]

# In the order in which they run, with a line about each.
SECTIONS: dict[str, str] = {
    "sizes": "inference and training step at eight sizes, beside the other libraries",
    "article": "10,000 full-batch epochs on Boston housing through GRURegressor.fit, beside PyTorch",
    "streaming": "one step of one sequence through GRU.step: median and tail, beside the other libraries",
    "forms": "reset_after=False against True",
    "instruction_sets": "each instruction set against its own peak",
    "threads": "all threads against one, for small batches and long sequences",
    "shapes": "layers, both directions and ragged lengths against the plain case",
    "length": "time per step up to a million steps, and with denormal numbers",
    "busy": "the tail of the times while another process is busy",
    "memory": "peak memory of training on 100,000 steps, with and without checkpoint_steps",
}
DEFAULT = ("sizes", "article", "streaming")


@dataclass(frozen=True)
class Context:
    """What a section measures with.

    Parameters
    ----------
    settings : Settings
    libraries : tuple of Library
        Those to compare with, without grulearn.
    say : callable
        Is told what is being measured.
    """

    settings: Settings
    libraries: tuple[Library, ...] = ()
    say: Callable[[str], None] = lambda _: None


class Section(Protocol):
    """A module of this package."""

    def measure(self, context: Context) -> Any:
        """Measure; the result consists of dataclasses, lists, dicts, numbers and texts."""

    def tables(self, results: Any) -> list[Table]:
        """Put a result of `measure` into tables."""


def load_section(name: str) -> Section:
    """Import a section.

    Parameters
    ----------
    name : str
        One of `SECTIONS`.

    Returns
    -------
    module

    Examples
    --------
    >>> from grulearn.benchmark.sections import load_section
    >>> load_section("sizes").__name__
    'grulearn.benchmark.sections.sizes'
    """
    return cast(Section, import_module(f"{__name__}.{name}"))
