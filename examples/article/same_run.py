"""The article's run in PyTorch and in grulearn, from the same initial weights. Needs grulearn and torch."""

from __future__ import annotations

import time

import numpy as np
import torch
from article_grulearn import EPOCHS, article_regressor
from article_torch import Net, train
from sklearn.preprocessing import StandardScaler

from grulearn.datasets import load_boston_housing


def main() -> None:
    X, y = load_boston_housing(return_X_y=True)
    torch.set_num_threads(1)  # a second thread gains neither of them anything at this size
    torch.manual_seed(0)
    net = Net(X.shape[1])
    initial = {name.removeprefix("gru."): value.numpy().copy() for name, value in net.state_dict().items()}

    begin = time.perf_counter()
    expected = np.array(train(net, StandardScaler().fit_transform(X), y))
    torch_seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    model = article_regressor(len(X), n_jobs=1).fit(X, y, initial_weights=initial)
    our_seconds = time.perf_counter() - begin
    ours = np.array(model.loss_curve_)

    print("epoch       PyTorch     grulearn   relative difference")
    for epoch in (0, 100, 500, 1_000, 2_000, 5_000, 9_900):
        difference = abs(ours[epoch] / expected[epoch] - 1)
        print(f"{epoch:6,d}  {expected[epoch]:10.5f}   {ours[epoch]:10.5f}   {difference:.0e}")
    every = np.arange(0, 2_001, 100)
    print(f"largest at every 100th epoch up to 2,000: {np.abs(ours / expected - 1)[every].max():.0e}")
    print(f"{EPOCHS:,} epochs on one core: PyTorch {torch_seconds:.1f} s, grulearn {our_seconds:.2f} s")


if __name__ == "__main__":
    main()
