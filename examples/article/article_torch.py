"""The article's experiment in PyTorch, mended only where it no longer runs. Needs torch.

The mending: the data come from grulearn, because scikit-learn has no load_boston any more. Everything else is
the article's: inputs standardised, each row a sequence of one step, nn.GRU(13, 32) and a linear layer on the
last output, mean squared error, Adam at 0.001, 10,000 epochs over all rows at once.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from grulearn.datasets import load_boston_housing

EPOCHS = 10_000


class Net(nn.Module):
    """A GRU and a linear layer on its last output."""

    def __init__(self, n_features: int, hidden_size: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(n_features, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, T, F) to (N, 1)."""
        outputs, _ = self.gru(x)
        return self.head(outputs[:, -1])


def as_steps(X: np.ndarray) -> torch.Tensor:
    """Rows (N, F) as sequences of one step (N, 1, F)."""
    return torch.tensor(X, dtype=torch.float32).unsqueeze(1)


def train(net: Net, X: np.ndarray, y: np.ndarray, epochs: int = EPOCHS) -> list[float]:
    """Train in place; return the loss of every epoch, taken before its update."""
    inputs, targets = as_steps(X), torch.tensor(y, dtype=torch.float32).unsqueeze(1)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    mean_squared_error = nn.MSELoss()
    losses = []
    for _ in range(epochs):
        loss = mean_squared_error(net(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def main() -> None:
    X, y = load_boston_housing(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    torch.manual_seed(0)
    net = Net(X.shape[1])

    begin = time.perf_counter()
    losses = train(net, X, y)
    seconds = time.perf_counter() - begin

    for epoch in (0, 100, 1_000, 2_000, 5_000, 9_900):
        print(f"epoch {epoch:6,d}   loss {losses[epoch]:9.4f}")
    print(f"training RMSE after {EPOCHS:,} epochs: {losses[-1] ** 0.5:.2f} k$")
    with torch.no_grad():
        print(f"prediction for row 0: {net(as_steps(X[:1])).item():.2f} k$, true price {y[0]:.2f} k$")
    print(f"{seconds:.1f} s with {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
