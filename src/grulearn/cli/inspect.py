"""``grulearn inspect``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grulearn.cli._errors import BadInput
from grulearn.cli._models import ModelArgument

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = "grulearn inspect model.gru --json"


def command(
    model: ModelArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, the loss of every epoch included.")
    ] = False,
) -> None:
    """Show options, sizes, features, how the training went, versions, and a fingerprint of the data.

    Two models with the same fingerprint were fitted on the same numbers in the same order.
    """
    if not model.exists():
        raise BadInput(f"there is no model file {model}")
    described = describe(model)
    if as_json:
        typer.echo(json.dumps(_finite(described), indent=2))
        return

    from rich.table import Table

    from grulearn.cli._console import new_console

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(described):
        table.add_row(name, value)
    new_console().print(table)


def describe(path: Path) -> dict[str, Any]:
    """Return what the file says about its model, by names that stay."""
    from grulearn.formats import ModelFileError, read_model

    _, metadata = read_model(path)
    try:
        return _describe(path, metadata)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged: its description lacks {error}") from error


def _describe(path: Path, metadata: dict[str, Any]) -> dict[str, Any]:
    from grulearn.formats import FORMAT_VERSION, parameter_shapes
    from grulearn.spec import NetworkSpec

    shapes = parameter_shapes(NetworkSpec.from_dict(metadata["spec"]))
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "format_version": FORMAT_VERSION,
        "estimator": metadata["estimator"],
        "options": metadata["params"],
        "network": metadata["spec"],
        "n_parameters": sum(math.prod(shape) for shape in shapes.values()),
        "features": metadata["feature_names"],
        "n_features": metadata["n_features_in"],
        "targets": metadata["target"]["names"],
        "data": {
            "reading": metadata["reading"],
            "sequence_lengths": metadata["sequence_lengths"],
            "fingerprint": metadata["data_fingerprint"],
        },
        "seed": metadata["seed"],
        "history": metadata["history"],
        "versions": metadata["versions"],
        "instruction_set": metadata["instruction_set"],
    }


def _rows(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Choose and word what a person wants to see."""
    from grulearn.cli._estimator_options import spell

    data, history = described["data"], described["history"]
    yield "file", f"{described['file']}, {described['bytes']:,} bytes, format {described['format_version']}"
    yield "estimator", described["estimator"]
    yield "network", _network(described)
    yield "features", ", ".join(described["features"] or [f"{described['n_features']} without names"])
    if described["targets"]:
        yield "target", ", ".join(described["targets"])
    yield "fitted on", data["reading"]
    yield "fingerprint", data["fingerprint"]
    yield "training", _training(history)
    yield "options", ", ".join(f"{name}={spell(value)}" for name, value in described["options"].items())
    yield "seed", str(described["seed"])
    yield "versions", ", ".join(f"{name} {version}" for name, version in described["versions"].items())
    yield "instructions", described["instruction_set"]


def _network(described: Mapping[str, Any]) -> str:
    cell, head = described["network"]["cell"], described["network"]["head"]
    return (
        f"{described['n_features']} features, {cell['num_layers']} x {cell['hidden_size']} hidden units"
        f"{', both directions' if cell['bidirectional'] else ''}, {head['n_outputs']} output"
        f"{'s' if head['n_outputs'] != 1 else ''}; {described['n_parameters']:,} parameters"
    )


def _training(history: Mapping[str, Any]) -> str:
    of = "training" if history["validation_scores"] is None else "validation"
    return (
        f"{history['n_iter']:,} epochs, stopped: {history['stop_reason']}; lowest {of} loss "
        f"{history['best_loss']:.4g} in epoch {history['best_iter']:,}"
    )


def _finite(value: Any) -> Any:
    """Replace infinities and NaN, which JSON does not know, by null."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
