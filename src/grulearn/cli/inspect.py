"""``grulearn inspect``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grulearn.cli._errors import BadInput
from grulearn.cli._models import ModelArgument

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = "grulearn inspect model.gru --json"

_VALUES_SHOWN = 12
_MISSING = {
    "error": "not taken",
    "mean": "become the training part's mean",
    "forward": "become the last value seen in the sequence",
    "simple": "become the last value seen; whether and how long ago it was seen goes into the network too",
    "decay": "fade from the last value seen to the mean, as fast as training found best (GRU-D)",
}


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
        "targets": _targets(metadata),
        "classes": metadata["target"].get("classes"),
        "categories": _categories(metadata),
        "missing": metadata["params"].get("missing", "error"),
        "table": metadata.get("table"),
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


def _targets(metadata: Mapping[str, Any]) -> list[str] | None:
    """Return the names of what is predicted, as the estimator was told or as they stood in a table."""
    table: Mapping[str, Any] = metadata.get("table") or {}
    names: list[str] | None = metadata["target"].get("names") or table.get("targets")
    return names


def _categories(metadata: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each categorical feature that training has seen."""
    known = metadata.get("encoding", {}).get("categories", [])
    names = metadata["feature_names"]
    # They come after the numbers.
    named = names[-len(known) :] if names and known else [f"c{i}" for i in range(len(known))]
    return {name: categories["values"] for name, categories in zip(named, known, strict=True)}


def _rows(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Choose and word what a person wants to see."""
    from grulearn.cli._estimator_options import spell

    data, history = described["data"], described["history"]
    yield "file", f"{described['file']}, {described['bytes']:,} bytes, format {described['format_version']}"
    yield "estimator", described["estimator"]
    yield "network", _network(described)
    yield "features", ", ".join(described["features"] or [f"{described['n_features']} without names"])
    for name, values in described["categories"].items():
        yield "categories", f"{name}: {_few(values)}; and one for all others"
    yield "missing values", _MISSING.get(described["missing"], described["missing"])
    if described["table"]:
        yield "table", _table(described["table"])
    if described["targets"]:
        yield "target", ", ".join(described["targets"])
    if described["classes"]:
        yield "classes", _few(described["classes"])
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


def _table(table: Mapping[str, Any]) -> str:
    """Say what a row is."""
    if table["id"] is None and table["time"] is None:
        return "each row is a sequence of one step"
    whose = f"the rows of one {table['id']} are a sequence" if table["id"] else "all rows are one sequence"
    when = f", in the order of {table['time']}" if table["time"] else ""
    return f"{whose}{when}; predicts once for each {'row' if table['by_step'] else 'sequence'}"


def _few(values: Sequence[Any]) -> str:
    more = f", ... ({len(values):,} in all)" if len(values) > _VALUES_SHOWN else ""
    return ", ".join(str(value) for value in values[:_VALUES_SHOWN]) + more


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
