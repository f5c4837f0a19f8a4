"""The prediction that the article shows is for a row it trained on. Needs grulearn only."""

from __future__ import annotations

import numpy as np
from article_grulearn import article_regressor
from sklearn.model_selection import KFold, cross_val_predict

from grulearn.datasets import load_boston_housing


def main() -> None:
    X, y = load_boston_housing(return_X_y=True)
    seen = article_regressor(len(X)).fit(X, y).predict(X)
    unseen_row = article_regressor(len(X) - 1).fit(X[1:], y[1:]).predict(X[:1])[0]
    print(f"row 0: true price {y[0]:.2f} k$")
    print(f"  predicted by a model that trained on it   {seen[0]:6.2f}")
    print(f"  by one that trained on the other rows     {unseen_row:6.2f}")

    folds = KFold(5, shuffle=True, random_state=0)
    unseen = cross_val_predict(article_regressor(len(X)), X, y, cv=folds)
    print("errors of all rows in k$    median  95 of 100 below")
    for name, predicted in (("trained on", seen), ("held out, in five folds", unseen)):
        half, most = np.quantile(np.abs(predicted - y), [0.5, 0.95])
        print(f"  {name:24s}  {half:6.2f}  {most:15.2f}")


if __name__ == "__main__":
    main()
