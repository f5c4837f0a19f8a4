"""A log of machines: a row for each reading, unequal lengths, gaps in time and in the values."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from grulearn import GRUClassifier, Sequences

# 600 machines, 20 to 60 readings each, at irregular hours. A machine wears out while it
# runs hot for long; the thermometer misses two readings in five.
rng = np.random.default_rng(0)
parts = []
for machine in range(600):
    n = int(rng.integers(20, 61))
    hours = np.ceil(rng.exponential(120.0, n)) / 60.0
    heavy = rng.random(n).cumsum() % rng.uniform(4.0, 12.0) < 3.0
    temperature = 40.0 + 30.0 * heavy + rng.normal(0.0, 4.0, n)
    wear = (hours * (temperature > 55.0)).sum()
    parts.append(
        pd.DataFrame(
            {
                "machine": f"M-{machine:03d}",
                "time": pd.Timestamp("2024-05-01") + pd.to_timedelta((60.0 * hours).cumsum().round(), "min"),
                "temperature": np.where(rng.random(n) < 0.4, np.nan, temperature),
                "shift": np.where(rng.random(n) < 0.5, "day", "night"),
                "failed": wear > 30.0,
            }
        )
    )
log = pd.concat(parts, ignore_index=True)

X, y = Sequences.from_frame(log, id_col="machine", time_col="time", target_col="failed")
print(f"{X}, {np.isnan(X.rows).mean():.0%} of the numbers missing")
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
print(f"always the more frequent answer: {max(y_test.mean(), 1 - y_test.mean()):.2f} right")
for missing in ["mean", "forward", "simple", "decay"]:
    model = GRUClassifier(32, missing=missing, random_state=0).fit(X_train, y_train)
    print(f"missing={missing!r}: {model.score(X_test, y_test):.2f} right")
predicted = model.predict_frame(X_test)
print(predicted.head(3).to_string(index=False, float_format="{:.2f}".format))
