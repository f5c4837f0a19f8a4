"""What the recurrent half of nn.GRU does when every sequence has one step and starts from zero. Needs torch.

With h = 0 the recurrent products U h vanish, and their gradients with them. What is left of the reset gate is
its factor on the recurrent bias c_n; the sums b_r + c_r and b_z + c_z act only as sums.
"""

from __future__ import annotations

import copy

import torch
from article_torch import EPOCHS, Net, as_steps, train
from sklearn.preprocessing import StandardScaler
from torch import nn

from grulearn.datasets import load_boston_housing

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def gradients(net: Net, inputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradients of the mean squared error, by the name of the parameter."""
    net.zero_grad()
    nn.functional.mse_loss(net(inputs), targets).backward()
    return {name: parameter.grad.clone() for name, parameter in net.named_parameters()}


def replace_reset_gate(net: Net) -> None:
    """Draw everything in the reset gate anew: the first third of each parameter."""
    for name in NAMES:
        getattr(net.gru, f"{name}_l0")[: net.gru.hidden_size].normal_()


def main() -> None:
    X, y = load_boston_housing(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    inputs, targets = as_steps(X), torch.tensor(y, dtype=torch.float32).unsqueeze(1)
    torch.manual_seed(0)
    net = Net(X.shape[1])
    first = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}

    grads = gradients(net, inputs, targets)
    db, dc = (grads[f"gru.bias_{side}_l0"].reshape(3, -1) for side in ("ih", "hh"))
    print("before training")
    print(f"  largest gradient of weight_hh          {grads['gru.weight_hh_l0'].abs().max().item()}")
    print(f"  gradients of b_r and c_r the same      {torch.equal(db[0], dc[0])}")
    print(f"  gradients of b_z and c_z the same      {torch.equal(db[1], dc[1])}")
    print(f"  gradients of b_n and c_n the same      {torch.equal(db[2], dc[2])}")

    train(net, X, y)
    print(f"after {EPOCHS:,} epochs")
    for name, parameter in net.named_parameters():
        moved = int((parameter.detach() != first[name]).sum())
        print(f"  {name:18s} {moved:5,d} of {parameter.numel():5,d} numbers have moved")

    with torch.no_grad():
        prices = net(inputs)
        net.gru.weight_hh_l0.normal_(0, 100)
        print(f"  weight_hh replaced by noise: same prices, to the bit   {torch.equal(net(inputs), prices)}")

    hidden = net.gru.hidden_size
    with torch.no_grad():
        rmse = nn.functional.mse_loss(net(inputs), targets).sqrt().item()
        other = copy.deepcopy(net)
        replace_reset_gate(other)
        noisy = nn.functional.mse_loss(other(inputs), targets).sqrt().item()
    print(f"  reset gate replaced by noise: training RMSE from {rmse:.2f} to {noisy:.2f} k$, through r * c_n")

    print("the same network with c_n = 0")
    with torch.no_grad():
        net.gru.bias_hh_l0[2 * hidden :] = 0
        prices = net(inputs)
    grads = gradients(net, inputs, targets)
    largest = max(grads[f"gru.{name}_l0"][:hidden].abs().max().item() for name in NAMES)
    print(f"  largest gradient in the reset gate     {largest}")
    with torch.no_grad():
        replace_reset_gate(net)
        print(f"  reset gate replaced by noise: same prices, to the bit  {torch.equal(net(inputs), prices)}")


if __name__ == "__main__":
    main()
