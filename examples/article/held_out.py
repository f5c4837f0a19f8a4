"""Training error and test error of the article's run, in five folds. Needs grulearn only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from article_grulearn import article_regressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import KFold

from grulearn import GRURegressor
from grulearn.datasets import load_boston_housing


def in_folds(make: Callable[[int], Any], X: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Training and test RMSE, means over five shuffled folds; `make` gets the number of training rows."""
    errors = []
    for train, test in KFold(5, shuffle=True, random_state=seed).split(X):
        model = make(len(train)).fit(X[train], y[train])
        errors.append([root_mean_squared_error(y[part], model.predict(X[part])) for part in (train, test)])
    return np.mean(errors, axis=0)


def main() -> None:
    X, y = load_boston_housing(return_X_y=True)
    lengths = (10_000, 5_000, 2_000, 1_000)
    contenders = {f"the article's run, {epochs:6,d} epochs": article_with(epochs) for epochs in lengths}
    contenders["GRURegressor() as it comes"] = lambda _: GRURegressor(random_state=0)
    contenders["HistGradientBoostingRegressor"] = lambda _: HistGradientBoostingRegressor(random_state=0)
    contenders["LinearRegression"] = lambda _: LinearRegression()

    print("RMSE in k$ over five folds: mean (lowest to highest) of five shuffles")
    print(f"{'':34s} training               test")
    for name, make in contenders.items():
        errors = np.array([in_folds(make, X, y, seed) for seed in range(5)])
        training, test = (f"{e.mean():.2f} ({e.min():.2f} to {e.max():.2f})" for e in errors.T)
        print(f"{name:34s} {training:22s} {test}")

    finals = [article_regressor(len(X), random_state=seed).fit(X, y).loss_curve_[-1] for seed in range(10)]
    print("trained on all 506 rows, as in the article, from ten random initial weights:")
    print(f"training RMSE after 10,000 epochs {min(finals) ** 0.5:.2f} to {max(finals) ** 0.5:.2f} k$")


def article_with(epochs: int) -> Callable[[int], GRURegressor]:
    """Return a maker of the article's network that trains this long."""
    return lambda n_rows: article_regressor(n_rows, max_iter=epochs)


if __name__ == "__main__":
    main()
