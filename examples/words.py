"""Sentences word by word: which valve has to be opened first? The order of the words tells."""

from __future__ import annotations

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from grulearn import GRUClassifier

VALVES = ["red", "blue", "green", "black"]
ORDERS = [  # each names what comes first, then what follows
    "open {0}, then {1}.",
    "open {1} after {0}.",
    "before {1} please open {0}!",
    "not {1} but {0} has to be opened first.",
    "{0} first; {1} can wait.",
]
rng = np.random.default_rng(0)
sentences, first = [], []
for _ in range(1_000):
    one, other = rng.choice(VALVES, 2, replace=False)
    sentences.append(rng.choice(ORDERS).format(one, other))
    first.append(one)

model = GRUClassifier(32, tokens="word", random_state=0).fit(sentences[:800], first[:800])
print(f"GRU, word by word: {model.score(sentences[800:], first[800:]):.1%} right")
bag = make_pipeline(CountVectorizer(), LogisticRegression()).fit(sentences[:800], first[:800])
print(f"logistic regression on the words it counts: {bag.score(sentences[800:], first[800:]):.1%} right")
for sentence in ["open green after black.", "before red please open blue!"]:
    print(f"{sentence!r}: {model.predict([sentence])[0]}")
