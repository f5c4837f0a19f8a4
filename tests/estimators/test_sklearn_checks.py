"""All of scikit-learn's checks: none skipped, none expected to fail."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from grulearn.estimators import GRURegressor

# The checks' made-up data is now and then worth a warning: constant features, a constant target.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def array_api(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without it scikit-learn skips its check with array API dispatch.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks([GRURegressor()])
def test_check(estimator: GRURegressor, check: Any) -> None:
    check(estimator)


def test_no_check_is_left_out() -> None:
    """A tag such as two_d_array=False would silently drop nearly all of them."""
    assert len(list(estimator_checks_generator(GRURegressor()))) >= 50
