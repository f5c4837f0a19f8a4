"""A table: fit, score, save, load, predict."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sklearn.model_selection import train_test_split

import grulearn
from grulearn import GRURegressor
from grulearn.datasets import load_california_housing

# 20,640 rows, 8 features; the target is in 100,000 $.
X, y = load_california_housing(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

model = GRURegressor(hidden_size=32, random_state=0).fit(X_train, y_train)
print(f"{model.n_iter_} epochs, the best was number {model.best_iter_}")
print(f"stopped by: {model.stop_reason_}")
print(f"R2 on rows it has not seen: {model.score(X_test, y_test):.3f}")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "model.gru")
    model.save(path)  # weights, scaling, options and history in one file
    again = grulearn.load(path)
print(f"predicted {again.predict(X_test[:1])[0]:.2f}, true {y_test.iloc[0]:.2f}")
