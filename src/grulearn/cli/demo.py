"""``grulearn demo``."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grulearn.cli._errors import BadInput
from grulearn.cli._files import check_can_make_folder

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

EXAMPLE = "grulearn demo --output results"

# Chosen on a fifth of the training part, among 25 settings; the test part served for nothing but the table.
# Three layers at half the rate were better by 0.6 % there, and took twice as long.
SETTINGS: dict[str, Any] = {
    "hidden_size": 64,
    "num_layers": 2,
    "learning_rate_init": 4e-3,
    "random_state": 0,
}
# The data have the price in 100,000 $; the model gets it in dollars, and a name that says so.
DOLLARS, TARGET = 100_000, "MedHouseVal in $"


def command(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where to write a picture and model.gru.  [default: grulearn-demo, grulearn-sequence-demo "
            "or grulearn-article]",
        ),
    ] = None,
    sequence: Annotated[
        bool,
        typer.Option(
            "--sequence",
            help="Tell speakers by utterances of different lengths instead, beside a network without gates.",
        ),
    ] = False,
    article: Annotated[
        bool,
        typer.Option(
            "--article", help="Repeat the article that grulearn began with instead, on Boston housing data."
        ),
    ] = False,
    equations: Annotated[
        bool,
        typer.Option(
            "--equations",
            help="With --article: train the article's own equations instead of nn.GRU's, "
            "with the reset gate before the product and without biases.",
        ),
    ] = False,
) -> None:
    """Use the data that come with the package: 20,640 census blocks of California, 640 utterances, or Boston.

    The files are written to a new folder in the current one, unless --output says otherwise.
    """
    from grulearn.cli._console import new_console

    if equations and not article:
        raise BadInput("--equations goes with --article only")
    if article and sequence:
        raise BadInput("--article and --sequence are two demos; give one of them")
    console = new_console()
    name = "grulearn-article" if article else "grulearn-sequence-demo" if sequence else "grulearn-demo"
    folder = output or Path(name)
    check_can_make_folder(folder)
    if sequence:
        from grulearn.cli import _sequence_demo

        _sequence_demo.run(console, folder)
    elif article:
        from grulearn.cli import _article

        _article.run(console, folder, equations=equations)
    else:
        run(console, folder)


def run(console: Console, folder: Path) -> None:
    """Train on the California data, compare with other models, predict one house."""
    from sklearn.model_selection import train_test_split

    from grulearn.cli._progress import progress_view
    from grulearn.cli._training import Outputs, print_ending, train
    from grulearn.datasets import load_california_housing
    from grulearn.estimators import GRURegressor

    X, y = load_california_housing(return_X_y=True, as_frame=True)
    y = (y * DOLLARS).rename(TARGET)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    console.print(
        f"California housing, 1990: {len(X):,} census blocks, {X.shape[1]} features; "
        f"{len(X_train):,} to train on, {len(X_test):,} held out."
    )
    outputs = Outputs(folder / "model.gru", folder / "loss_curve.png", unit="$")
    estimator = GRURegressor(**SETTINGS)
    seconds = train(estimator, X_train, y_train, progress_view(console), outputs)
    print_ending(console, estimator, seconds)
    predicted = estimator.predict(X_test)
    _print_comparison(console, (X_train, y_train, X_test, y_test), predicted, seconds)
    _print_house(console, X_test.iloc[0], predicted[0], y_test.iloc[0])
    console.print(f"\nWritten: {outputs.picture} and {outputs.model}")


def _print_comparison(console: Console, split: tuple[Any, ...], predicted: Any, seconds: float) -> None:
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from grulearn.cli._scores import new_table, scores
    from grulearn.cli._training import format_seconds

    X_train, y_train, X_test, y_test = split
    table = new_table("on the held-out blocks", "test RMSE", "R²", "trained in", "GRU's RMSE is")
    ours = scores(y_test.to_numpy(), predicted)
    table.add_row("GRU", f"$ {ours.rmse:,.0f}", ours.texts()[2], format_seconds(seconds), "", style="bold")
    others = {
        "always the mean": DummyRegressor(),
        "linear regression": LinearRegression(),
        "histogram gradient boosting": HistGradientBoostingRegressor(random_state=0),
    }
    for name, model in others.items():
        # Boosting on so few rows takes 0.35 s with one thread or two, but two wait for each other wherever
        # something else runs: 1 to 16 s.
        with threadpool_limits(limits=1, user_api="openmp"):
            start = perf_counter()
            model.fit(X_train, y_train)
            seconds = perf_counter() - start
        theirs = scores(y_test.to_numpy(), model.predict(X_test))
        gain = theirs.rmse - ours.rmse
        verdict = f"$ {abs(gain):,.0f} {'lower' if gain > 0 else 'higher'}"
        table.add_row(name, f"$ {theirs.rmse:,.0f}", theirs.texts()[2], format_seconds(seconds), verdict)
    console.print(table)


def _print_house(console: Console, house: pd.Series[Any], predicted: float, truth: float) -> None:
    error = predicted - truth
    console.print(
        f"A typical house of the first held-out block: {house.HouseAge:.0f} years old, {house.AveRooms:.1f} "
        f"rooms, near {house.Latitude:.2f} N {-house.Longitude:.2f} W; the households there earn $ "
        f"{house.MedInc * 10_000:,.0f} a year."
    )
    console.print(
        f"Predicted price $ {predicted:,.0f}, true price $ {truth:,.0f}: $ {abs(error):,.0f} too "
        f"{'high' if error > 0 else 'low'}."
    )
