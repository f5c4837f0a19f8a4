"""Run the benchmark: sections in order, and what is written about them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from grulearn.benchmark.machine import Machine, describe_machine
from grulearn.benchmark.peers import Library, Missing, open_libraries
from grulearn.benchmark.peers.grulearn_peer import GrulearnLibrary
from grulearn.benchmark.report import markdown, paragraph
from grulearn.benchmark.sections import DEFAULT, SECTIONS, Context, load_section
from grulearn.benchmark.settings import Settings

__all__ = ["FORMAT", "Report", "choose_sections", "run"]

FORMAT = 1  # of the JSON file

_COUNTED = """Every library gets the same weights, data and number of threads, all in float32, and must
come to the same numbers (states within 1e-5, losses before and after a training step within 1e-4), or the
run ends with an error. Data lie ready in the layout that a library reads; compiling is not timed. Of
grulearn everything is: packing weights, gradients, clipping, AdamW, and in inference the Python call.
Turns are interleaved over {rounds} rounds; before each turn there is a wait until all threads sleep
(PyTorch's and ONNX Runtime's poll for a while after a call and would take a core from whoever comes next)
and an untimed call. Times are medians over the rounds of each round's median."""
_MKL_ON_AMD = "On AMD processors MKL keeps to AVX2, so that PyTorch's products do not use AVX-512 here."


@dataclass
class Report:
    """What was measured, where and with what.

    Parameters
    ----------
    machine : Machine
    settings : Settings
    libraries : tuple of Library
        grulearn first.
    missing : tuple of Missing
    sections : dict
        The results by section.
    began : datetime
    """

    machine: Machine
    settings: Settings
    libraries: tuple[Library, ...]
    missing: tuple[Missing, ...]
    sections: dict[str, Any] = field(default_factory=dict)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def heading(self) -> str:
        """Write what stands above the tables: machine, libraries, and what is counted; in Markdown."""
        machine, threads = self.machine, self.settings.threads
        items = [
            f"{machine.processor}: {machine.cores} cores to use, {threads} "
            f"thread{'s' if threads > 1 else ''} for every library, up to {machine.peak / 1e9:.0f} Gflop/s "
            f"in float32 multiply-adds ({machine.instruction_set}); {machine.system}, "
            f"Python {machine.python}",
            *(f"{library.label} {library.version}: {library.details}" for library in self.libraries),
            *(f"{missing.label}: {missing.reason}; not compared" for missing in self.missing),
        ]
        text = _COUNTED.format(rounds=self.settings.n_rounds)
        if "AMD" in machine.vendor and any("MKL" in library.details for library in self.libraries):
            text = f"{text} {_MKL_ON_AMD}"
        listed = "\n".join(paragraph(item, "- ") for item in items)
        return "\n\n".join(["# grulearn bench", listed, paragraph(text)])

    def section(self, name: str) -> str:
        """Write the tables of a section in Markdown."""
        return "\n\n".join(markdown(table) for table in load_section(name).tables(self.sections[name]))

    def to_json(self) -> dict[str, Any]:
        """Return everything as dicts, lists, numbers and texts."""
        described: dict[str, Any] = _plain(
            {
                "format": FORMAT,
                "began": self.began.isoformat(timespec="seconds"),
                "machine": asdict(self.machine),
                "settings": {**asdict(self.settings), "threads": self.settings.threads},
                "libraries": {
                    library.key: {
                        "name": library.label,
                        "version": library.version,
                        "details": library.details,
                    }
                    for library in self.libraries
                },
                "missing": {missing.key: missing.reason for missing in self.missing},
                "sections": {name: asdict(result) for name, result in self.sections.items()},
            }
        )
        return described


def choose_sections(names: Sequence[str]) -> tuple[str, ...]:
    """Turn the names that a user gave into sections, in the order in which they run.

    Parameters
    ----------
    names : sequence of str
        Sections, or "all"; none means those that run by default.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If there is no such section.

    Examples
    --------
    >>> from grulearn.benchmark import choose_sections
    >>> choose_sections(["threads", "sizes"]), choose_sections([])
    (('sizes', 'threads'), ('sizes', 'article', 'streaming'))
    """
    for name in names:
        if name != "all" and name not in SECTIONS:
            raise ValueError(f"there is no section {name!r}; expected all, or some of {', '.join(SECTIONS)}")
    if "all" in names:
        return tuple(SECTIONS)
    return tuple(name for name in SECTIONS if name in (names or DEFAULT))


def run(
    settings: Settings,
    sections: Sequence[str] = DEFAULT,
    write: Callable[[str], None] = print,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure, and write the tables as they are ready.

    Parameters
    ----------
    settings : Settings
    sections : sequence of str
        Names as `choose_sections` returns them.
    write : callable
        Gets the heading, then each section, in Markdown.
    say : callable
        Is told what is being measured, several times a second.

    Returns
    -------
    Report

    Raises
    ------
    DisagreementError
        If the libraries do not compute the same.
    """
    say("opening the libraries")
    libraries, missing = open_libraries(settings.threads)
    own = GrulearnLibrary(settings.threads)
    report = Report(describe_machine(settings.threads), settings, (own, *libraries), missing)
    write(report.heading())
    for name in sections:
        report.sections[name] = load_section(name).measure(Context(settings, libraries, say))
        write(f"\n{report.section(name)}")
    return report


def _plain(value: Any) -> Any:
    """Turn tuples into lists, keys into texts, and what JSON has no number for into None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
