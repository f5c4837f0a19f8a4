"""What the predictions of a fitted model depend on."""

from __future__ import annotations

from grulearn.inspection.permutation import permutation_importance

__all__ = ["permutation_importance"]
