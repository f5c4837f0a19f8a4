"""``grulearn demo --article``: the article's experiment to the letter, and the test error it left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.console import Console

EPOCHS = 10_000
PRINT_EVERY = 100
FOLDS = 5


def run(console: Console, folder: Path, *, equations: bool) -> None:
    """Train on all rows as the article does, predict the first one, then measure the held-out error."""
    from grulearn.cli._progress import progress_view
    from grulearn.cli._scores import scores
    from grulearn.cli._training import Outputs, train
    from grulearn.datasets import load_boston_housing

    X, y = load_boston_housing(return_X_y=True, as_frame=True)
    variant = (
        "the article's equations: reset before the product, no biases" if equations else "nn.GRU's equations"
    )
    console.print(
        f"Boston housing, 1970: {len(X)} census tracts, {X.shape[1]} features, all of them trained on; "
        f"{variant}. Column B encodes race: these data are here for the reproduction only."
    )
    estimator = new_estimator(len(X), equations=equations)
    outputs = Outputs(folder / "model.gru", folder / "loss_curve.png", unit="k$", squared=True)
    seconds = train(estimator, X, y, progress_view(console), outputs)
    _print_losses(console, estimator.loss_curve_)
    fitted = estimator.predict(X)
    console.print(
        f"Trained {estimator.n_iter_:,} epochs in {seconds:.2f} s. RMSE on the rows trained on: "
        f"{scores(y.to_numpy(), fitted).rmse:.2f} k$."
    )
    console.print(f"First row, a row trained on: predicted {fitted[0]:.2f} k$, true {y.iloc[0]:.2f} k$.")
    _print_held_out(console, X, y, equations=equations)
    console.print(f"\nWritten: {outputs.picture} and {outputs.model}")


def new_estimator(n_rows: int, *, equations: bool) -> Any:
    """Build the article's network and training: full batches, Adam at 0.001, only the inputs scaled."""
    from grulearn.estimators import GRURegressor

    return GRURegressor(
        32,
        reset_after=not equations,
        bias=not equations,
        standardize="inputs",
        init="pytorch",
        learning_rate_init=1e-3,
        batch_size=n_rows,
        max_iter=EPOCHS,
        early_stopping=False,
        clip_norm=None,
        random_state=0,
    )


def _print_losses(console: Console, losses: list[float]) -> None:
    """Print the loss of every hundredth epoch, a thousand epochs a line."""
    every = np.asarray(losses)[PRINT_EVERY - 1 :: PRINT_EVERY].reshape(-1, 10)
    lines = [["epoch", *[f"+{(i + 1) * PRINT_EVERY}" for i in range(every.shape[1])]]]
    for i, row in enumerate(every):
        lines.append([f"{i * PRINT_EVERY * every.shape[1]:,}", *map(_three_digits, row)])
    console.print("Mean squared error in (k$)², every 100 epochs:")
    for line in lines:
        console.print(f"{line[0]:>6}" + "".join(f"{text:>7}" for text in line[1:]), soft_wrap=True)


def _three_digits(loss: float) -> str:
    """Write about three digits, so that the columns line up."""
    decimals = sum(loss < bound for bound in (100, 10, 1, 0.1))
    return f"{loss:.{decimals}f}"


def _print_held_out(console: Console, X: Any, y: Any, *, equations: bool) -> None:
    """Train the same on four fifths of the rows, five times, so that every row is held out once."""
    from sklearn.model_selection import KFold, cross_validate

    runs = cross_validate(
        new_estimator(len(X), equations=equations),
        X,
        y,
        cv=KFold(FOLDS, shuffle=True, random_state=0),
        scoring="neg_root_mean_squared_error",
        return_train_score=True,
    )
    trained, held_out = -runs["train_score"], -runs["test_score"]
    console.print(
        "What the article leaves out is the error on rows not trained on. Trained the same way on four "
        f"fifths of the rows, {FOLDS} times over, the RMSE is {trained.mean():.2f} k$ on those and "
        f"{held_out.mean():.2f} k$ on the held-out fifth ({held_out.min():.2f} to {held_out.max():.2f})."
    )
