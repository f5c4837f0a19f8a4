"""``grulearn bench``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grulearn.cli._errors import BadInput, CommandError, say
from grulearn.cli._files import check_all_differ, check_can_write, replacing

if TYPE_CHECKING:
    from grulearn.benchmark import Report

EXAMPLE = "grulearn bench --only sizes --json measured.json --plot measured.png"

ISA_VARIABLE = "GRULEARN_ISA"
# The section that --plot draws.
_DRAWN = "sizes"


def command(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="SECTION",
            help="What to measure; can be repeated: sizes, article, streaming, forms, instruction_sets, "
            "threads, shapes, length, busy, memory, or all.  [default: sizes, article and streaming]",
        ),
    ] = None,
    n_jobs: Annotated[
        int | None,
        typer.Option(
            "--n-jobs", help="Threads for every library.  [default: the cores that this process may use]"
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="How often each library has its turn in each case.")
    ] = 9,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two rounds and short turns: to see that everything runs.")
    ] = False,
    isa: Annotated[
        str | None,
        typer.Option(
            "--isa",
            metavar="NAME",
            help="Instruction set for grulearn: avx512, avx2, baseline, neon.  [default: the best there is]",
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Where to write everything measured, round by round."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Where to draw the sizes (.png, .svg, .pdf)."),
    ] = None,
) -> None:
    """Beside PyTorch, ONNX Runtime and JAX, whichever are installed, and the processor's own peak.

    It prints Markdown. What is measured by default takes about two minutes, everything about five; nothing
    else should run meanwhile. A library that comes to other numbers than grulearn ends the run with an error.
    """
    check_all_differ(**{"--json": json_file, "--plot": plot})
    check_can_write(json_file, plot)
    _choose_instruction_set(isa)

    from grulearn.benchmark import DisagreementError, Settings, choose_sections, run

    sections = choose_sections(only or [])
    settings = Settings(n_jobs=n_jobs, rounds=rounds, quick=quick)
    if plot is not None:
        _check_plot(plot, sections)
    progress = _Progress()
    try:
        report = run(settings, sections, progress.write, progress.say)
    except DisagreementError as error:
        raise CommandError(str(error)) from error
    finally:
        progress.clear()
    if json_file is not None:
        with replacing(json_file) as temporary:
            temporary.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
        say("note", f"everything measured is in {json_file}")
    if plot is not None:
        _save_plot(report, plot)
        say("note", f"the picture is in {plot}")


def _choose_instruction_set(isa: str | None) -> None:
    """Load the core with this instruction set; it chooses once, when it is imported."""
    if isa is None:
        return
    loaded = "grulearn._core" in sys.modules
    if not loaded:
        os.environ[ISA_VARIABLE] = isa
    try:
        from grulearn import _core
    except ImportError as error:
        raise BadInput(f"--isa: {error}") from error
    if _core.instruction_set() != isa:
        raise BadInput(
            f"--isa: the core is already loaded with {_core.instruction_set()}; it has {isa} only if it is "
            f"started with {ISA_VARIABLE}={isa} and if it is one of {', '.join(_core.instruction_sets())}"
        )


def _check_plot(plot: Path, sections: tuple[str, ...]) -> None:
    from grulearn.cli._training import check_picture_name

    check_picture_name(plot)
    if _DRAWN not in sections:
        raise BadInput(f"--plot draws the section {_DRAWN}, which --only leaves out; add --only {_DRAWN}")


def _save_plot(report: Report, plot: Path) -> None:
    from grulearn.benchmark.picture import draw_sizes
    from grulearn.cli._training import _picture_format

    versions = ", ".join(f"{library.label} {library.version}" for library in report.libraries)
    threads = report.settings.threads
    subtitle = f"{report.machine.processor}, {threads} thread{'s' if threads > 1 else ''}; {versions}"
    figure = draw_sizes(report.sections[_DRAWN], subtitle)
    with replacing(plot) as temporary:
        figure.savefig(temporary, format=_picture_format(plot))


class _Progress:
    """What is being measured, in one line of the terminal that is gone at the end; nothing elsewhere.

    Without a thread of its own, which would take time from what is measured.
    """

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """Replace the line."""
        if self._shown:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the line."""
        self.say("")

    def write(self, text: str) -> None:
        """Print a part of the report."""
        self.clear()
        typer.echo(text)
        sys.stdout.flush()
