"""All of scikit-learn's checks: none skipped, and none expected to fail but one that float32 cannot pass."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from grulearn.estimators import GRUClassifier, GRURegressor

# The checks' made-up data is now and then worth a warning: constant features, a constant target.
pytestmark = pytest.mark.filterwarnings("ignore")

# It asks that weights do what repeated samples do, to a relative 1e-7, after a whole training. Half of that
# is lost when a single number is rounded to float32; and a validation part that is drawn from other samples
# ends another training. scikit-learn's own MLP passes it in float64, without early stopping and in one
# batch, and so does a GRU: see EXACT.
WEIGHTS = "check_sample_weight_equivalence_on_dense_data"

EXACT = {"dtype": "float64", "early_stopping": False, "batch_size": 10_000}


@pytest.fixture(autouse=True)
def array_api(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without it scikit-learn skips its check with array API dispatch.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


def expected_to_fail(estimator: Any) -> dict[str, str]:
    return {WEIGHTS: "compares float32 to 1e-7"} if estimator.dtype == "float32" else {}


@parametrize_with_checks(
    [GRURegressor(), GRUClassifier(), GRURegressor(**EXACT), GRUClassifier(**EXACT)],
    expected_failed_checks=expected_to_fail,
)
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(("estimator", "least"), [(GRURegressor(), 50), (GRUClassifier(), 53)])
def test_no_check_is_left_out(estimator: Any, least: int) -> None:
    """A tag such as two_d_array=False would silently drop nearly all of them."""
    assert len(list(estimator_checks_generator(estimator))) >= least
