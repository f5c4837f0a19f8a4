"""The article's loss curve and its x axis. Needs grulearn only. Give a file name to keep the picture."""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from article_grulearn import article_regressor

from grulearn.datasets import load_boston_housing
from grulearn.displays import LossCurveDisplay


def main() -> None:
    X, y = load_boston_housing(return_X_y=True)
    model = article_regressor(len(X)).fit(X, y)
    kept = model.loss_curve_[::100]  # the article keeps one loss in a hundred and plots the list
    print(f"epochs trained: {len(model.loss_curve_):,}; losses kept: {len(kept)}; the axis runs from 0 to 99")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    left.plot(kept)
    left.set(title="every 100th loss, by its index", xlabel="Index in the list", ylabel="Loss")
    figure.draw_without_rendering()  # settles the layout, by which the display places its text
    LossCurveDisplay.from_estimator(model, ax=right)
    right.set_ylabel("Loss")
    right.set_title("every loss, by its epoch")
    if len(sys.argv) > 1:
        figure.savefig(sys.argv[1], dpi=150)


if __name__ == "__main__":
    main()
