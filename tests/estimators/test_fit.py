"""What a fit does: learning, scaling, early stopping, randomness, initial weights."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from grulearn.estimators import GRURegressor, _base
from grulearn.training import EpochReport, Split

RNG = np.random.default_rng(0)
SEQUENCES = RNG.normal(size=(300, 8, 3))
SUMS = SEQUENCES[:, :, 0].sum(axis=1) - SEQUENCES[:, -1, 1]
TABLE, TARGET = make_friedman1(300, n_features=6, noise=0.3, random_state=0)


@pytest.fixture
def fixed_split(monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, np.ndarray]:
    """Hold out every fifth sample."""
    held_out = np.arange(0, 300, 5)
    training = np.setdiff1d(np.arange(300), held_out)
    monkeypatch.setattr(_base, "split", lambda *args, **options: Split(training, held_out, "random"))
    return training, held_out


def same_bits(a: GRURegressor, b: GRURegressor) -> bool:
    return a.loss_curve_ == b.loss_curve_ and all(
        np.array_equal(a.weights_[n], b.weights_[n]) for n in a.weights_
    )


def test_the_defaults_learn_a_table() -> None:
    X, y = make_friedman1(1000, noise=0.3, random_state=0)
    assert GRURegressor(random_state=0).fit(X[:700], y[:700]).score(X[700:], y[700:]) > 0.96


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reset_after": False},
        {"bias": False},
        {"reset_after": False, "bias": False},
        {"bidirectional": True},
        {"num_layers": 2},
        {"init": "pytorch"},
        {"standardize": "inputs"},
        {"standardize": False},
        {"weight_decay": 0.01},
        {"batch_size": 300, "learning_rate_init": 0.03},
        {"early_stopping": False, "max_iter": 60},
        {"clip_norm": None},
    ],
)
def test_every_option_learns_sequences(options: dict[str, Any]) -> None:
    model = GRURegressor(16, random_state=0, **options).fit(SEQUENCES[:250], SUMS[:250])
    assert model.score(SEQUENCES[250:], SUMS[250:]) > 0.93
    shapes = {name: w.shape for name, w in model.weights_.items()}
    n_layers, n_directions = options.get("num_layers", 1), 1 + options.get("bidirectional", False)
    assert len(shapes) == n_layers * n_directions * (4 if options.get("bias", True) else 2) + 2
    assert shapes["weight_ih_l0"] == (48, 3)
    assert shapes["head.weight"] == (1, 16 * n_directions)
    assert model.spec_.cell.reset_after == options.get("reset_after", True)


def test_fitted_attributes() -> None:
    model = GRURegressor(8, max_iter=5, random_state=0).fit(SEQUENCES, SUMS)
    assert model.n_iter_ == len(model.loss_curve_) == len(model.validation_scores_) == 5
    assert model.stop_reason_ == "max_iter"
    assert model.best_loss_ == min(model.validation_scores_) == model.validation_scores_[model.best_iter_ - 1]
    assert model.sequence_lengths_ == (8, 8.0, 8)
    assert (model.n_features_in_, model.n_outputs_) == (3, 1)
    assert not hasattr(model, "feature_names_in_")
    assert model.instruction_set_ in ("avx512", "avx2", "baseline")
    assert model.reading_ == "300 sequences of 8 steps, 3 features"


@pytest.mark.parametrize(
    "option",
    [
        {"init": "pytorch"},
        {"weight_decay": 0.5},
        {"batch_size": 32},
        {"batch_size": 1000},
        {"clip_norm": 0.01},
        {"validation_fraction": 0.3},
        {"standardize": False},
        {"early_stopping": False},
    ],
)
def test_every_option_reaches_the_training(option: dict[str, Any]) -> None:
    model = GRURegressor(8, max_iter=3, random_state=0).fit(TABLE, TARGET)
    assert not same_bits(model, GRURegressor(8, max_iter=3, random_state=0, **option).fit(TABLE, TARGET))


@pytest.mark.parametrize("n_iter_no_change", [1, 4])
def test_patience_and_tolerance_are_the_users(n_iter_no_change: int) -> None:
    model = GRURegressor(8, n_iter_no_change=n_iter_no_change, tol=1e3, random_state=0).fit(TABLE, TARGET)
    assert (model.n_iter_, model.stop_reason_) == (1 + n_iter_no_change, "no improvement")


def test_auto_means_orthogonal_weights_and_batches_of_16() -> None:
    auto = GRURegressor(8, max_iter=3, random_state=0).fit(TABLE, TARGET)
    spelt = GRURegressor(8, max_iter=3, init="orthogonal", batch_size=16, random_state=0).fit(TABLE, TARGET)
    assert same_bits(auto, spelt)


def test_without_early_stopping_every_epoch_runs() -> None:
    model = GRURegressor(4, max_iter=300, n_iter_no_change=1, tol=1e9, early_stopping=False, random_state=0)
    model.fit(TABLE, TARGET)
    assert model.n_iter_ == 300
    assert model.validation_scores_ is None
    assert model.best_loss_ == min(model.loss_curve_) == model.loss_curve_[model.best_iter_ - 1]


def test_properties_need_a_fit() -> None:
    model = GRURegressor()
    for name in ("weights_", "spec_", "target_scale_"):
        assert not hasattr(model, name)
    with pytest.raises(NotFittedError):
        model.predict(TABLE)


# Scaling


def test_the_scaling_never_sees_the_validation_part(fixed_split: tuple[np.ndarray, np.ndarray]) -> None:
    training, held_out = fixed_split
    X, y = SEQUENCES.copy(), SUMS.copy()
    X[held_out] += 1e3
    y[held_out] -= 1e3
    model = GRURegressor(4, max_iter=1, random_state=0).fit(X, y)
    rows = X[training].reshape(-1, 3)
    np.testing.assert_allclose(model._encoding.scaling.mean, rows.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(model._encoding.scaling.scale, rows.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model._target_scaling.mean, y[training].mean())
    np.testing.assert_allclose(model.target_scale_, y[training].std(), rtol=1e-12)


def test_units_do_not_matter_when_standardized() -> None:
    plain = GRURegressor(8, max_iter=20, random_state=0).fit(TABLE, TARGET)
    other = GRURegressor(8, max_iter=20, random_state=0).fit(TABLE * 1024 - 4096, TARGET * 1024)
    np.testing.assert_allclose(other.loss_curve_, plain.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(other.predict(TABLE * 1024 - 4096) / 1024, plain.predict(TABLE), rtol=1e-3)
    np.testing.assert_allclose(other.target_scale_, plain.target_scale_ * 1024, rtol=1e-12)


def test_standardize_inputs_leaves_the_target_in_its_units() -> None:
    model = GRURegressor(
        4, standardize="inputs", batch_size=300, max_iter=1, early_stopping=False, random_state=0
    ).fit(TABLE, TARGET + 100)
    assert model.target_scale_.tolist() == [1.0]
    assert model._encoding.scaling.mean.any()
    assert model.loss_curve_[0] == pytest.approx(np.square(TARGET + 100).mean(), rel=0.05)


def test_standardize_false_leaves_everything_in_its_units() -> None:
    model = GRURegressor(4, standardize=False, max_iter=1, random_state=0).fit(TABLE, TARGET)
    assert not model._encoding.scaling.mean.any()
    assert model._encoding.scaling.scale.tolist() == [1.0] * 6
    assert model.target_scale_.tolist() == [1.0]


def test_losses_are_mean_squared_errors_of_the_scaled_target(
    fixed_split: tuple[np.ndarray, np.ndarray],
) -> None:
    _, held_out = fixed_split
    model = GRURegressor(8, max_iter=30, random_state=0).fit(SEQUENCES, SUMS)
    error = np.square(model.predict(SEQUENCES[held_out]) - SUMS[held_out]).mean()
    assert model.best_loss_ * model.target_scale_[0] ** 2 == pytest.approx(error, rel=1e-5)


def test_constant_features_are_named() -> None:
    X = TABLE.copy()
    X[:, 2] = 7.0
    with pytest.warns(UserWarning, match=r"1 feature is constant in the training part.*column 2\."):
        model = GRURegressor(4, max_iter=3, random_state=0).fit(X, TARGET)
    assert np.isfinite(model.predict(X)).all()
    assert model._encoding.scaling.scale[2] == 1.0


@pytest.mark.parametrize("standardize", [True, "inputs", False])
def test_a_constant_target_is_predicted_exactly(standardize: bool | str) -> None:
    with pytest.warns(UserWarning, match="target y is constant.*predicted as 0.1 always"):
        model = GRURegressor(4, max_iter=3, standardize=standardize, random_state=0).fit(
            TABLE, np.full(300, 0.1)
        )
    assert model.predict(TABLE).tolist() == [0.1] * 300


def test_a_constant_output_among_others() -> None:
    y = np.column_stack([TARGET, np.full(300, -3.0)])
    with pytest.warns(UserWarning, match="target y, output 1, is constant"):
        model = GRURegressor(16, random_state=0).fit(TABLE, y)
    assert set(model.predict(TABLE)[:, 1]) == {-3.0}
    assert model.score(TABLE, y) > 0.8


# Early stopping and other ends


def test_the_best_weights_are_restored() -> None:
    model = GRURegressor(32, learning_rate_init=0.02, n_iter_no_change=8, random_state=3).fit(TABLE, TARGET)
    assert model.stop_reason_ == "no improvement"
    assert model.best_iter_ <= model.n_iter_ - 8
    shorter = GRURegressor(32, learning_rate_init=0.02, max_iter=model.best_iter_, random_state=3)
    shorter.fit(TABLE, TARGET)
    assert shorter.best_iter_ == shorter.n_iter_ == model.best_iter_
    assert all(np.array_equal(shorter.weights_[n], model.weights_[n]) for n in model.weights_)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_divergence_stops_with_a_hint_and_keeps_good_weights(early_stopping: bool) -> None:
    model = GRURegressor(
        16, learning_rate_init=1e6, clip_norm=None, early_stopping=early_stopping, random_state=0
    )
    with pytest.warns(
        ConvergenceWarning,
        match=r"diverged in epoch \d+ .*_init=1000000.0.*initial weights were kept.*Lower.*clip_norm",
    ):
        model.fit(TABLE, TARGET)
    assert model.stop_reason_ == "diverged"
    assert model.n_iter_ < 200
    naive = np.abs(TARGET - TARGET.mean()).mean()
    assert np.abs(model.predict(TABLE) - TARGET).mean() < 10 * naive


def test_an_interruption_leaves_a_fitted_estimator() -> None:
    def stop(report: EpochReport) -> None:
        if report.epoch == 4:
            raise KeyboardInterrupt

    model = GRURegressor(8, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model._fit(TABLE, TARGET, on_epoch=stop)
    assert (model.stop_reason_, model.n_iter_) == ("interrupted", 4)
    whole = GRURegressor(8, max_iter=4, random_state=0).fit(TABLE, TARGET)
    np.testing.assert_array_equal(model.predict(TABLE), whole.predict(TABLE))


def test_a_signal_ends_a_running_epoch() -> None:
    """One epoch here would take half a minute."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    X = np.zeros((20_000, 100, 1))
    X[:, 0, 0] = np.arange(20_000)
    model = GRURegressor(256, batch_size=1, n_jobs=1, early_stopping=False, random_state=0)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            model._fit(X, X[:, 0, 0], on_start=lambda _: signal.setitimer(signal.ITIMER_REAL, 1.0))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert (model.stop_reason_, model.n_iter_, model.loss_curve_) == ("interrupted", 0, [])
    assert np.isfinite(model.predict(X[:5])).all()


# Randomness


def test_random_state_gives_the_same_bits() -> None:
    one, same, other = (GRURegressor(8, max_iter=5, random_state=s).fit(TABLE, TARGET) for s in (0, 0, 1))
    assert same_bits(one, same)
    assert not same_bits(one, other)


def test_a_random_state_object_is_drawn_from() -> None:
    state = np.random.RandomState(0)
    first, second = (GRURegressor(8, max_iter=5, random_state=state).fit(TABLE, TARGET) for _ in range(2))
    assert not same_bits(first, second)
    again = GRURegressor(8, max_iter=5, random_state=np.random.RandomState(0)).fit(TABLE, TARGET)
    assert same_bits(first, again)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"batch_size": 270}])
def test_threads_do_not_change_a_bit(options: dict[str, Any]) -> None:
    one, two = (
        GRURegressor(24, max_iter=5, n_jobs=n, random_state=0, **options).fit(SEQUENCES, SUMS) for n in (1, 2)
    )
    assert same_bits(one, two)
    assert one.validation_scores_ == two.validation_scores_
    np.testing.assert_array_equal(one.predict(SEQUENCES), two.predict(SEQUENCES))


def test_predictions_stand_in_the_samples_order_and_depend_on_nothing_else() -> None:
    model = GRURegressor(8, max_iter=5, random_state=0).fit(SEQUENCES, SUMS)
    whole = model.predict(SEQUENCES)
    order = np.random.default_rng(1).permutation(300)
    np.testing.assert_array_equal(model.predict(SEQUENCES[order]), whole[order])
    np.testing.assert_array_equal(np.concatenate([model.predict(x[None]) for x in SEQUENCES]), whole)


def test_targets_belong_to_their_samples() -> None:
    """Each sample's target is its own number: a mix-up in split, order or batches could not be learnt."""
    X = np.eye(40)
    y = np.random.default_rng(2).normal(size=40)
    options = {"max_iter": 1500, "early_stopping": False, "batch_size": 7, "random_state": 0}
    assert GRURegressor(16, learning_rate_init=0.01, **options).fit(X, y).score(X, y) > 0.999


# Initial weights


def test_initial_weights_are_used_exactly() -> None:
    source = GRURegressor(8, max_iter=2, random_state=5).fit(TABLE, TARGET)
    still = GRURegressor(8, max_iter=1, learning_rate_init=1e-30, early_stopping=False, random_state=0)
    still.fit(TABLE, TARGET, initial_weights=source.weights_)
    assert all(np.array_equal(still.weights_[n], source.weights_[n]) for n in source.weights_)


def test_the_first_loss_is_that_of_the_initial_weights() -> None:
    source = GRURegressor(8, max_iter=30, early_stopping=False, batch_size=300, random_state=5).fit(
        TABLE, TARGET
    )
    more = GRURegressor(8, max_iter=1, early_stopping=False, batch_size=300, random_state=0)
    more.fit(TABLE, TARGET, initial_weights=source.weights_)
    expected = np.square((source.predict(TABLE) - TARGET) / source.target_scale_).mean()
    assert more.loss_curve_[0] == pytest.approx(expected, rel=1e-5)


def test_initial_weights_leave_split_and_order_alone() -> None:
    drawn = GRURegressor(8, max_iter=1, learning_rate_init=1e-30, random_state=0).fit(TABLE, TARGET)
    given = GRURegressor(8, max_iter=5, random_state=0).fit(TABLE, TARGET, initial_weights=drawn.weights_)
    assert same_bits(given, GRURegressor(8, max_iter=5, random_state=0).fit(TABLE, TARGET))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("head.bias"), "missing head.bias"),
        (lambda w: w.update(extra=np.zeros(1)), "unknown extra"),
        (lambda w: w.update({"head.bias": np.zeros(2)}), r"head.bias has shape \(2,\), expected \(1,\)"),
        (lambda w: w.update({"head.bias": [np.nan]}), "head.bias holds NaN"),
    ],
)
def test_unfit_initial_weights_are_named(change: Any, message: str) -> None:
    weights = GRURegressor(8, max_iter=1, random_state=0).fit(TABLE, TARGET).weights_
    change(weights)
    with pytest.raises(ValueError, match=message):
        GRURegressor(8).fit(TABLE, TARGET, initial_weights=weights)


def test_weights_cannot_be_changed_in_passing() -> None:
    model = GRURegressor(8, max_iter=1, random_state=0).fit(TABLE, TARGET)
    with pytest.raises(ValueError, match="read-only"):
        model.weights_["head.bias"][0] = 1.0


def test_numpy_booleans_are_booleans():
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = 100 * X[:, 0] + 500
    options = {"max_iter": 5, "random_state": 0}
    plain = GRURegressor(4, standardize=True, **options).fit(X, y)
    numpy = GRURegressor(4, standardize=np.True_, **options).fit(X, y)
    np.testing.assert_array_equal(numpy.predict(X), plain.predict(X))


@pytest.mark.parametrize("broken", [{"n_jobs": 0}, {"y": np.full(30, np.nan)}, {"X": np.ones((31, 7))}])
def test_a_fit_that_fails_leaves_the_earlier_one(broken):
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = GRURegressor(4, max_iter=3, random_state=0).fit(X, X[:, 0])
    expected = model.predict(X)
    model.set_params(**{name: value for name, value in broken.items() if name == "n_jobs"})
    with pytest.raises(ValueError):
        model.fit(broken.get("X", 1000 * X), broken.get("y", 100 * X[:, 1]))
    np.testing.assert_array_equal(model.set_params(n_jobs=1).predict(X), expected)


def test_a_training_that_ends_in_ruins_is_not_kept():
    X = np.random.default_rng(0).normal(size=(300, 4))
    model = GRURegressor(
        8, max_iter=60, random_state=0, early_stopping=False, learning_rate_init=1e3, clip_norm=None
    )
    with pytest.warns(ConvergenceWarning, match="Lower learning_rate_init"):
        model.fit(X, X[:, 0])
    assert model.stop_reason_ == "diverged"


def test_masked_values_are_missing_ones():
    X = np.ma.masked_equal([[1.0, 2.0], [3.0, -999.0], [5.0, 6.0]], -999.0)
    with pytest.raises(ValueError, match="NaN"):
        GRURegressor(2).fit(X, [1.0, 2.0, 3.0])


def test_chrono_needs_biases_and_auto_does_without() -> None:
    X = np.random.default_rng(0).normal(size=(20, 60, 1))
    with pytest.raises(ValueError, match='init="chrono" draws biases, and bias=False leaves them out'):
        GRURegressor(4, init="chrono", bias=False).fit(X, X[:, 0, 0])
    GRURegressor(4, bias=False, max_iter=1).fit(X, X[:, 0, 0])


@pytest.mark.parametrize(("lengths", "chrono"), [([49] * 19 + [500], False), ([50] * 20, True)])
def test_auto_goes_by_the_median_length(lengths: list[int], chrono: bool) -> None:
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 1)) for n in lengths]
    model = GRURegressor(16, max_iter=1, learning_rate_init=1e-30, random_state=0)
    bias = model.fit(X, rng.normal(size=20)).weights_["bias_ih_l0"]
    # Steps of 1e-30 leave the biases where they began: 0, or the logs of 1 to the median length less 1.
    assert (bias[16:32].max() > 1.0) == chrono
    assert bias[16:32].max() <= np.log(49) + 1e-6
