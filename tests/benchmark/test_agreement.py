"""Libraries that compute other numbers are found out."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.benchmark import DisagreementError
from grulearn.benchmark.agreement import check_losses, check_outputs

ZEROS = np.zeros((2, 3, 4), np.float32)


def test_rounding_is_no_difference():
    check_outputs("N2", {"a": ZEROS, "b": ZEROS + np.float32(9e-6), "c": ZEROS})
    check_losses("N2", {"a": (2.0, 1.0), "b": (2.0001, 0.99995)})


@pytest.mark.parametrize("wrong", [2e-5, np.nan])
def test_other_states_are_refused(wrong):
    given = ZEROS.copy()
    given[1, 2, 3] = wrong
    with pytest.raises(DisagreementError, match="N2: the states of b and a differ by up to"):
        check_outputs("N2", {"a": ZEROS, "b": given})


def test_another_shape_is_refused():
    with pytest.raises(DisagreementError, match=r"b gives states of shape \(2, 3\), a of \(2, 3, 4\)"):
        check_outputs("N2", {"a": ZEROS, "b": ZEROS[..., 0]})


@pytest.mark.parametrize("wrong", [1.0002, 0.9998, np.nan])
def test_another_loss_is_refused(wrong):
    with pytest.raises(DisagreementError, match="N2: after 1 training steps the loss is"):
        check_losses("N2", {"a": (2.0, 1.0), "b": (2.0, wrong)})
