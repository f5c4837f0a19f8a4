"""The article's training against PyTorch, from the same initial weights, through the estimator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from grulearn import GRURegressor
from grulearn.datasets import load_boston_housing

EPOCHS = 2001


@pytest.fixture(scope="module")
def torch_run() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The initial weights and the loss of every epoch, as the article's script computes them."""
    X, y = load_boston_housing(return_X_y=True)
    inputs = torch.tensor(StandardScaler().fit_transform(X), dtype=torch.float32).unsqueeze(1)
    targets = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
    torch.manual_seed(0)
    gru, fc = torch.nn.GRU(13, 32, batch_first=True), torch.nn.Linear(32, 1)
    initial = {name: value.numpy().copy() for name, value in gru.state_dict().items()}
    initial |= {f"head.{name}": value.numpy().copy() for name, value in fc.state_dict().items()}
    optimizer = torch.optim.Adam([*gru.parameters(), *fc.parameters()], lr=0.001)
    losses = []
    for _ in range(EPOCHS):
        loss = torch.nn.functional.mse_loss(fc(gru(inputs)[0][:, -1, :]), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return initial, np.array(losses)


def test_loss_trajectory(torch_run):
    X, y = load_boston_housing(return_X_y=True)
    initial, expected = torch_run
    model = GRURegressor(
        32, standardize="inputs", learning_rate_init=1e-3, batch_size=len(X), max_iter=EPOCHS,
        early_stopping=False, clip_norm=None,
    ).fit(X, y, initial_weights=initial)  # fmt: skip
    every_100th = slice(0, EPOCHS, 100)
    # Both run in float32: they begin 1e-7 apart, and 2,000 updates let that grow. 1e-4 is what is promised.
    np.testing.assert_allclose(model.loss_curve_[every_100th], expected[every_100th], rtol=1e-4)
