"""The article's experiment in grulearn. Needs grulearn only."""

from __future__ import annotations

import time
from typing import Any

from grulearn import GRURegressor
from grulearn.datasets import load_boston_housing

EPOCHS = 10_000


def article_regressor(n_rows: int, **changes: Any) -> GRURegressor:
    """Return the article's network and training as an estimator; `changes` are options to differ in."""
    article: dict[str, Any] = {
        "hidden_size": 32,
        "standardize": "inputs",  # the target stays in k$
        "init": "pytorch",
        "learning_rate_init": 1e-3,
        "batch_size": n_rows,  # all rows at once
        "max_iter": EPOCHS,
        "early_stopping": False,
        "clip_norm": None,
        "random_state": 0,
    }
    return GRURegressor(**{**article, **changes})


def main() -> None:
    X, y = load_boston_housing(return_X_y=True)
    for name, changes in (
        ("nn.GRU's equations (reset after, biases)", {}),
        ("the article's equations (reset before, none)", {"reset_after": False, "bias": False}),
    ):
        begin = time.perf_counter()
        model = article_regressor(len(X), **changes).fit(X, y)
        seconds = time.perf_counter() - begin
        print(name)
        for epoch in (0, 100, 1_000, 2_000, 5_000, 9_900):
            print(f"  epoch {epoch:6,d}   loss {model.loss_curve_[epoch]:9.4f}")
        print(f"  training RMSE after {EPOCHS:,} epochs: {model.loss_curve_[-1] ** 0.5:.2f} k$")
        print(f"  prediction for row 0: {model.predict(X[:1])[0]:.2f} k$, true price {y[0]:.2f} k$")
        print(f"  {seconds:.2f} s")


if __name__ == "__main__":
    main()
