"""``grulearn evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from grulearn.cli._errors import BadInput, say
from grulearn.cli._models import (
    Features,
    IdOption,
    Model,
    ModelArgument,
    SortOption,
    TimeOption,
    load_model,
    open_features,
)
from grulearn.cli._tables import DataArgument, SeparatorOption, join_names

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table as RichTable

EXAMPLE = "grulearn evaluate model.gru held_out_houses.csv"

# A confusion matrix of more classes fits no screen.
_MOST_CLASSES = 12


def command(
    model: ModelArgument,
    data: DataArgument,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target", metavar="COLUMN", help="The column with the truth; default: as the model was fitted."
        ),
    ] = None,
    id_column: IdOption = None,
    time_column: TimeOption = None,
    sort: SortOption = False,
    separator: SeparatorOption = ",",
) -> None:
    """Print how good the predictions are, beside what can be had without a model.

    Of numbers: the root mean squared error (RMSE) and the mean absolute error (MAE), both in the unit of
    the target, MAE relative to the truth (MAPE) where that makes sense, and R². Of labels: accuracy; balanced
    accuracy, the mean over the true labels of the share recognised; F1, the mean over labels; log loss; the
    area under the ROC curve (AUC); and for up to 12 classes how often which was taken for which. Rows that
    the model was trained on make it look better than it is.
    """
    from grulearn.cli._console import new_console

    loaded = load_model(model)
    names = _target_names(loaded, target)
    features = open_features(
        loaded, data, separator, id_name=id_column, time_name=time_column, sort=sort, targets=names
    )
    truth, known = _truth(loaded, features, names)
    console = new_console()
    console.print(f"{model} on {data}, {_count_cases(loaded, features, known)}")
    if loaded.classifies:
        tables = _class_tables(loaded, features, names, truth, known)
    else:
        tables = [_number_table(loaded, features, names, truth, known)]
    for table in tables:
        console.print(table)


def _target_names(model: Model, given: list[str] | None) -> list[str]:
    names = given or list(model.target_names)
    if not names:
        raise BadInput(f"{model.source} does not say which column it predicts; add --target COLUMN")
    if len(names) != model.n_targets:
        raise BadInput(
            f"{model.source} predicts {_columns(model.n_targets)}, and --target names {len(names)}"
        )
    if given and model.target_names and given != list(model.target_names):
        say("warning", f"{model.source} predicts {join_names(model.target_names)}, not {join_names(given)}")
    return names


def _truth(model: Model, features: Features, names: list[str]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the true values, and which are there, in the order of the predictions: shape (M, K)."""
    from grulearn.cli._targets import read_targets

    task, classes = ("classification", model.estimator.classes_) if model.classifies else ("regression", None)
    targets = read_targets(features.table, names, task, classes if model.n_targets == 1 else None)  # type: ignore[arg-type]
    grouping = features.grouping
    if model.by_step and grouping is not None:
        return targets.values[grouping.order], targets.known[grouping.order]
    targets.require_all()
    rows = slice(None) if grouping is None else grouping.firsts
    return targets.values[rows], targets.known[rows]


def _number_table(
    model: Model, features: Features, names: list[str], truth: NDArray[Any], known: NDArray[np.bool_]
) -> RichTable:
    from grulearn.cli._predictions import predict
    from grulearn.cli._scores import format_percent, new_table, scores

    predicted = predict(model, features)
    rows: list[tuple[str, Any]] = []
    for k, name in enumerate(names):
        of = f" for {name}" if len(names) > 1 else ""
        there = truth[known[:, k], k].astype(np.float64)
        for label, values in (
            ("the model", predicted[known[:, k], k]),
            ("always the mean", np.full(len(there), there.mean())),
            ("always the median", np.full(len(there), np.median(there))),
        ):
            rows.append((label + of, scores(there, values)))
    relative = any(not np.isnan(result.mape) for _, result in rows)
    table = new_table("", "RMSE", "MAE", *(["MAPE"] if relative else []), "R²")
    for label, result in rows:
        rmse, mae, r2 = result.texts()
        table.add_row(label, rmse, mae, *([format_percent(result.mape)] if relative else []), r2)
    return table


def _class_tables(
    model: Model, features: Features, names: list[str], truth: NDArray[Any], known: NDArray[np.bool_]
) -> list[RichTable]:
    from grulearn.cli._predictions import predict, probabilities
    from grulearn.cli._scores import new_table

    predicted, shares = predict(model, features), probabilities(model, features)
    table = new_table("", "accuracy", "balanced accuracy", "F1", "log loss", "AUC")
    several = len(names) > 1
    for k, name in enumerate(names):
        there = known[:, k]
        # Of several labels at once each is there or not, and has one probability.
        classes = np.array([0, 1]) if several else model.estimator.classes_
        p = np.column_stack([1 - shares[:, k], shares[:, k]]) if several else shares
        labels = np.array(truth[there, k].tolist())
        _warn_of_unknown(model, labels, classes)
        _add_class_rows(table, f" for {name}" * several, labels, predicted[there, k], p[there], classes)
    if several or len(model.estimator.classes_) > _MOST_CLASSES:
        return [table]
    there = known[:, 0]
    return [
        table,
        _confusion_table(np.array(truth[there, 0].tolist()), predicted[there, 0], model.estimator.classes_),
    ]


def _add_class_rows(
    table: RichTable,
    of: str,
    truth: NDArray[Any],
    predicted: NDArray[Any],
    shares: NDArray[np.float64],
    classes: NDArray[Any],
) -> None:
    from grulearn.cli._scores import class_scores, prior_probabilities

    table.add_row(
        f"the model{of}", *class_scores(truth, predicted.astype(truth.dtype), shares, classes).texts()
    )
    prior = prior_probabilities(truth, classes)
    most_frequent = classes[int(prior[0].argmax())]
    always = np.full(len(truth), most_frequent, dtype=truth.dtype)
    table.add_row(f"always {most_frequent}{of}", *class_scores(truth, always, prior, classes).texts())


def _confusion_table(truth: NDArray[Any], predicted: NDArray[Any], classes: NDArray[Any]) -> RichTable:
    from grulearn.cli._scores import new_table

    table = new_table("true, and taken for", *(str(label) for label in classes))
    for label in sorted({*truth.tolist(), *classes.tolist()}):
        taken = predicted[truth == label]
        table.add_row(str(label), *(f"{np.count_nonzero(taken == other):,}" for other in classes))
    return table


def _warn_of_unknown(model: Model, truth: NDArray[Any], classes: NDArray[Any]) -> None:
    unknown = sorted(set(truth.tolist()) - set(classes.tolist()))
    if unknown:
        n = int(np.isin(truth, unknown).sum())
        say(
            "warning",
            f"{n:,} of {len(truth):,} labels are none that {model.source} knows "
            f"({join_names([str(label) for label in unknown])}); they count as wrong, and log loss and AUC "
            "leave them out",
        )


def _count_cases(model: Model, features: Features, known: NDArray[np.bool_]) -> str:
    grouping = features.grouping
    n = int(known.any(axis=1).sum())
    if grouping is None or not model.by_step:
        what = "row" if grouping is None else "sequence"
        return f"{n:,} {what}{'s' * (n != 1)}"
    n_sequences = len(grouping.starts)
    return f"{n:,} step{'s' * (n != 1)} of {n_sequences:,} sequence{'s' * (n_sequences != 1)}"


def _columns(n: int) -> str:
    return "1 column" if n == 1 else f"{n} columns"
