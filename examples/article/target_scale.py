"""What leaving the target unscaled costs the article's run. Needs grulearn only."""

from __future__ import annotations

from article_grulearn import article_regressor

from grulearn.datasets import load_boston_housing


def main() -> None:
    X, y = load_boston_housing(return_X_y=True)
    spread = float(y.std())
    print(f"predicting the mean price for every row: RMSE {spread:.2f} k$")
    print("training RMSE in k$ at epoch      0    100    500  1,000  2,000   as good as the mean from")
    for name, standardize in (("target in k$ (the article)", "inputs"), ("target standardised", True)):
        model = article_regressor(len(X), standardize=standardize, max_iter=2_001).fit(X, y)
        curve = [loss**0.5 * float(model.target_scale_[0]) for loss in model.loss_curve_]
        shown = "  ".join(f"{curve[epoch]:5.2f}" for epoch in (0, 100, 500, 1_000, 2_000))
        reached = next(epoch for epoch, error in enumerate(curve) if error <= spread)
        print(f"{name:27s}  {shown}   epoch {reached}")


if __name__ == "__main__":
    main()
