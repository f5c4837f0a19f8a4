"""Whole trainings against a twin in torch: scaling by NumPy, nn.GRU, torch's losses, torch.optim, in float64.

Both begin with the same weights and take the same batches. What is compared is all that a user sees of a
training: the loss of every epoch, and predictions in the user's units. Only the order of the samples is taken
from grulearn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from grulearn import GRUClassifier, GRURegressor
from grulearn.estimators._continuing import random_streams

RNG = np.random.default_rng(0)
N, F, H = 30, 2, 4
X = [RNG.normal(size=(n, F)) * [2.0, 0.1] + [5.0, 0.0] for n in RNG.integers(1, 8, N)]
LENGTHS = np.array([len(x) for x in X])
TARGET = np.array([x[-1, 0] * 3 - 7 for x in X])
SUMS = [x[:, 0].cumsum() for x in X]
HOLES = [np.where(RNG.random(len(y)) < 0.3, np.nan, y) for y in SUMS]
LABELS = np.array(["low", "mid", "top"])[np.digitize(TARGET, [5.0, 11.0])]
TAGS = [np.where(y > 15, "late", np.where(y > 7, "mid", "soon")).astype(object) for y in SUMS]
for tags in TAGS:
    tags[RNG.random(len(tags)) < 0.3] = None
WEIGHTS = RNG.uniform(0.2, 3.0, N)
WORDS = ["".join(RNG.choice(list("abcde"), n)) for n in LENGTHS]
LEVELS = (0.1, 0.5, 0.9)

EPOCHS = 6
# Float64 rounds to 1e-16, which 6 epochs, and scaling back into the user's units, make 1e-14.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


class Twin(torch.nn.Module):
    """nn.GRU, a pooling and a linear layer with the names of grulearn's weights."""

    def __init__(self, weights: dict[str, np.ndarray], model: Any) -> None:
        super().__init__()
        tensors = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in weights.items()}
        self.others = torch.nn.ParameterDict(
            {n.replace(".", "/"): t for n, t in tensors.items() if not n.startswith(("weight_", "bias_"))}
        )
        inputs = tensors["weight_ih_l0"].shape[1]
        options = {"num_layers": model.num_layers, "bidirectional": model.bidirectional, "bias": model.bias}
        self.gru = torch.nn.GRU(inputs, H, batch_first=True, dtype=torch.float64, **options)
        own = self.gru.state_dict()
        self.gru.load_state_dict({name: t for name, t in tensors.items() if name in own})
        self.pooling, self.target = model.pooling, model.target
        self.directions = 1 + model.bidirectional

    def forward(self, pieces: list[torch.Tensor]) -> torch.Tensor:
        table = self.others.get("input/embedding_0", None)
        x = [piece if table is None else table[piece] for piece in pieces]
        lengths = [len(piece) for piece in x]
        packed, h_n = self.gru(
            pack_padded_sequence(
                pad_sequence(x, batch_first=True), lengths, batch_first=True, enforce_sorted=False
            )
        )
        states, _ = pad_packed_sequence(packed, batch_first=True)
        own = [s[:n] for s, n in zip(states, lengths, strict=True)]
        if self.target == "sequence":
            read = torch.cat(own)
        elif self.pooling == "last":
            read = torch.cat(list(h_n[-self.directions :]), 1)
        elif self.pooling == "attention":
            query = self.others["pool/query"]
            attend = functional.scaled_dot_product_attention
            read = torch.stack([attend(query[None, None], s[None], s[None])[0, 0] for s in own])
        else:
            read = torch.stack([s.mean(0) if self.pooling == "mean" else s.max(0).values for s in own])
        return functional.linear(read, self.others["head/weight"], self.others["head/bias"])

    def optimizer(self, rate: float, decay: float) -> torch.optim.Optimizer:
        named = list(self.named_parameters())
        plain = [p for name, p in named if "bias" in name]
        decayed = [p for name, p in named if "bias" not in name]
        return torch.optim.AdamW(
            [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}], lr=rate
        )


def terms(model: Any, a: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """What each target adds to the loss, (n, K)."""
    none = {"reduction": "none"}
    if isinstance(model, GRUClassifier):
        if y.ndim == 1:
            return functional.cross_entropy(a, y, **none)[:, None]
        return functional.binary_cross_entropy_with_logits(a, y, **none)
    if model.quantiles is not None:
        return torch.stack([
            torch.maximum(t * (y - q), (t - 1) * (y - q))
            for t, q in zip(LEVELS, quantiles(a).unbind(-1), strict=True)
        ], -1).mean(-1)  # fmt: skip
    if model.loss == "gaussian":
        scale = functional.softplus(a[:, 1::2]) + 1e-3
        return functional.gaussian_nll_loss(a[:, ::2], y, scale**2, full=True, **none)
    if model.loss == "poisson":
        return functional.poisson_nll_loss(a, y, log_input=True, **none) + torch.xlogy(y, y) - y
    if model.loss == "huber":
        return functional.huber_loss(a, y, delta=model.delta, **none)
    return (functional.l1_loss if model.loss == "absolute_error" else functional.mse_loss)(a, y, **none)


def quantiles(a: torch.Tensor) -> torch.Tensor:
    """Of the levels 0.1, 0.5, 0.9: the median, and steps of softplus away from it."""
    low, middle, high = a.reshape(len(a), -1, 3).unbind(-1)
    return torch.stack([middle - functional.softplus(low), middle, middle + functional.softplus(high)], -1)


def scaled(rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean and standard deviation of columns, NaN left out."""
    known = ~np.isnan(rows)
    mean = np.array([np.average(c[k], weights=weights[k]) for c, k in zip(rows.T, known.T, strict=True)])
    square = np.array([
        np.average((c[k] - m) ** 2, weights=weights[k]) for c, k, m in zip(rows.T, known.T, mean, strict=True)
    ])  # fmt: skip
    return mean, np.sqrt(square)


def train_twin(model: Any, data: Any, y: Any, weight: np.ndarray, start: dict[str, np.ndarray]) -> Any:
    """Return the losses of the epochs, and predictions in the user's units."""
    steps = model.target == "sequence"
    if model.tokens:
        letters = sorted(set("".join(data)))
        pieces = [torch.tensor([letters.index(c) + 2 for c in word]) for word in data]
    else:
        mean, std = scaled(np.concatenate(data), np.repeat(weight, [len(x) for x in data]))
        pieces = [torch.tensor((x - mean) / std) for x in data]
    rows = np.concatenate(y) if steps else np.asarray(y)
    row_weight = np.repeat(weight, [len(x) for x in data]) if steps else weight
    if isinstance(model, GRUClassifier):
        known = np.array([v is not None for v in rows]) if rows.ndim == 1 else np.ones(len(rows), bool)
        goal = rows
        if rows.ndim == 1:
            classes = sorted(set(rows[known]))
            goal = np.array([classes.index(v) if v is not None else 0 for v in rows])
            if model.class_weight == "balanced":
                total = np.bincount(goal[known], row_weight[known])
                row_weight = row_weight * (total.sum() / (len(total) * total))[goal]
            if len(classes) == 2:
                goal = goal[:, None].astype(float)
    else:
        goal = rows.reshape(len(rows), -1).astype(float)
        known = ~np.isnan(goal).any(axis=1)
        t_mean, t_scale = scaled(goal, row_weight)
        if model.loss == "poisson":
            t_mean, t_scale = np.zeros_like(t_mean), t_mean
        goal = (goal - t_mean) / t_scale
    goal = torch.tensor(goal if goal.ndim == 1 else goal.astype(float))
    known, row_weight = torch.tensor(known), torch.tensor(row_weight)
    owner = torch.tensor(
        np.repeat(np.arange(len(data)), [len(x) for x in data]) if steps else np.arange(len(data))
    )
    twin = Twin(start, model)
    optimizer = twin.optimizer(model.learning_rate_init, model.weight_decay)
    order_rng = random_streams(model.random_state, 0)[2]
    size, curve = min(model.batch_size, len(data)), []
    for _ in range(model.max_iter):
        order = order_rng.spawn(1)[0].permutation(len(data)) if size < len(data) else np.arange(len(data))
        sums = []
        for begin in range(0, len(data), size):
            batch = order[begin : begin + size]
            places = torch.cat([torch.nonzero(owner == i)[:, 0] for i in batch.tolist()])
            use = known[places]
            loss = terms(model, twin([pieces[i] for i in batch])[use], goal[places][use])
            w = row_weight[places][use][:, None].expand_as(loss)
            mean_loss = (loss * w).sum() / w.sum()
            optimizer.zero_grad()
            mean_loss.backward()
            if model.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(twin.parameters(), model.clip_norm)
            optimizer.step()
            sums.append([mean_loss.item() * w.sum().item(), w.sum().item()])
        total, weights = np.sum(sums, axis=0)
        curve.append(total / weights)
    with torch.no_grad():
        a = twin(pieces)
    if isinstance(model, GRUClassifier):
        return curve, a.numpy()
    if model.quantiles is not None:
        return curve, (quantiles(a).numpy() * t_scale[:, None] + t_mean[:, None])[:, 0]
    if model.loss == "gaussian":
        return curve, (functional.softplus(a[:, 1::2]).numpy() + 1e-3) * t_scale
    a = a.exp() if model.loss == "poisson" else a
    return curve, a.numpy() * t_scale + t_mean


def answer(model: Any, data: Any) -> np.ndarray:
    if isinstance(model, GRUClassifier):
        found = model.decision_function(data)
    elif model.quantiles is not None:
        found = model.predict_quantiles(data)
    else:
        found = model.predict(data, return_std=True)[1] if model.loss == "gaussian" else model.predict(data)
    return np.concatenate(found) if isinstance(found, list) else found


REGRESSOR, CLASSIFIER = GRURegressor, GRUClassifier
BOTH = np.column_stack([TARGET, TARGET**2])
SEVERAL = np.column_stack([TARGET > 8, TARGET < 12, np.arange(N) % 2]).astype(int)
CASES: dict[str, tuple[Any, dict[str, Any], Any, Any, np.ndarray | None]] = {
    "numbers": (REGRESSOR, {}, X, TARGET, None),
    "two numbers": (REGRESSOR, {}, X, BOTH, WEIGHTS),
    "small batches": (REGRESSOR, {"batch_size": 7}, X, TARGET, WEIGHTS),
    "decayed weights": (REGRESSOR, {"weight_decay": 0.3, "clip_norm": 0.1}, X, TARGET, None),
    "no clipping": (REGRESSOR, {"clip_norm": None, "bias": False}, X, TARGET, None),
    "both directions": (REGRESSOR, {"num_layers": 2, "bidirectional": True}, X, TARGET, None),
    "mean": (REGRESSOR, {"pooling": "mean"}, X, TARGET, None),
    "max": (REGRESSOR, {"pooling": "max", "bidirectional": True}, X, TARGET, None),
    "attention": (REGRESSOR, {"pooling": "attention"}, X, TARGET, None),
    "absolute error": (REGRESSOR, {"loss": "absolute_error"}, X, TARGET, WEIGHTS),
    "huber": (REGRESSOR, {"loss": "huber", "delta": 0.4}, X, TARGET, None),
    "quantiles": (REGRESSOR, {"quantiles": list(LEVELS)}, X, TARGET, WEIGHTS),
    "gaussian": (REGRESSOR, {"loss": "gaussian"}, X, TARGET, WEIGHTS),
    "poisson": (REGRESSOR, {"loss": "poisson"}, X, np.abs(TARGET).round(), WEIGHTS),
    "tokens": (REGRESSOR, {"tokens": "char"}, WORDS, TARGET, None),
    "steps": (REGRESSOR, {"target": "sequence"}, X, HOLES, WEIGHTS),
    "steps in batches": (REGRESSOR, {"target": "sequence", "batch_size": 7}, X, HOLES, None),
    "quantiles of steps": (REGRESSOR, {"target": "sequence", "quantiles": list(LEVELS)}, X, HOLES, None),
    "labels": (CLASSIFIER, {}, X, LABELS, WEIGHTS),
    "two labels": (CLASSIFIER, {}, X, np.where(TARGET > 8, "top", "low"), WEIGHTS),
    "balanced": (CLASSIFIER, {"class_weight": "balanced", "batch_size": 7}, X, LABELS, WEIGHTS),
    "several labels": (CLASSIFIER, {}, X, SEVERAL, WEIGHTS),
    "tags": (CLASSIFIER, {"target": "sequence"}, X, TAGS, WEIGHTS),
    "balanced tags": (CLASSIFIER, {"target": "sequence", "class_weight": "balanced"}, X, TAGS, None),
    "labels of texts": (CLASSIFIER, {"tokens": "char", "pooling": "mean"}, WORDS, LABELS, None),
}


@pytest.fixture(autouse=True)
def one_thread():
    """What torch's threads cost is far more than what these networks take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", CASES)
def test_a_training_is_torchs(case):
    kind, options, data, y, weights = CASES[case]
    defaults = {"batch_size": N, "early_stopping": False, "dtype": "float64", "random_state": 3}
    model = kind(H, learning_rate_init=0.02, max_iter=EPOCHS, **{**defaults, **options})
    shapes = {name: w.shape for name, w in model.fit(data, y, sample_weight=weights).weights_.items()}
    rng = np.random.default_rng(1)
    start = {name: rng.uniform(-0.5, 0.5, shape) for name, shape in shapes.items()}
    model.fit(data, y, sample_weight=weights, initial_weights=start)
    curve, outputs = train_twin(model, data, y, np.ones(N) if weights is None else weights, start)
    np.testing.assert_allclose(model.loss_curve_, curve, **CLOSE)
    expected = outputs.reshape(answer(model, data).shape)
    np.testing.assert_allclose(answer(model, data), expected, **CLOSE)
    assert np.ptp(curve) > 1e-3  # it did learn
