"""From the user's units to what the network eats, and back."""

from __future__ import annotations

from grulearn.encoding.scaling import Scaling, TargetScaling

__all__ = ["Scaling", "TargetScaling"]
