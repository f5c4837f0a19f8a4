"""The loss curve: what is drawn, with which scales and labels, and that nothing hides anything."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.exceptions import NotFittedError

from grulearn import GRURegressor
from grulearn.displays import LossCurveDisplay


def new_axes():
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


def decay(n, start=1.0, end=0.2):
    return end + (start - end) * np.exp(-np.arange(n) / max(1, n / 6))


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def boxes(display):
    """Return the boxes in pixels of all the texts beside and among the curves."""
    display.figure_.draw_without_rendering()
    # Text's own box: an annotation's would include the line to its point.
    return [Text.get_window_extent(text) for text in display.ax_.texts]


@pytest.fixture(scope="module")
def fitted():
    X = np.random.default_rng(0).normal(size=(200, 3))
    return GRURegressor(8, max_iter=12, random_state=0).fit(X, 100 * X[:, 0] + 1000)


class TestFromEstimator:
    """What is taken from a fitted estimator."""

    def test_takes_losses_and_best_epoch(self, fitted):
        display = LossCurveDisplay.from_estimator(fitted, ax=new_axes())
        training, validation = display.lines_
        np.testing.assert_array_equal(training.get_xdata(), np.arange(1, 13))
        np.testing.assert_array_equal(training.get_ydata(), fitted.loss_curve_)
        np.testing.assert_array_equal(validation.get_ydata(), fitted.validation_scores_)
        assert display.best_epoch == fitted.best_iter_
        assert display.ax_.get_ylabel() == "Mean squared error (standardised target)"

    def test_a_unit_makes_root_mean_squared_errors(self, fitted):
        display = LossCurveDisplay.from_estimator(fitted, unit="k$", ax=new_axes())
        expected = np.sqrt(fitted.loss_curve_) * fitted.target_scale_[0]
        np.testing.assert_allclose(display.training_loss, expected)
        assert display.ax_.get_ylabel() == "Root mean squared error in k$"

    def test_squared_keeps_the_square_in_that_unit(self, fitted):
        display = LossCurveDisplay.from_estimator(fitted, unit="k$", squared=True, ax=new_axes())
        expected = np.multiply(fitted.validation_scores_, fitted.target_scale_[0] ** 2)
        np.testing.assert_allclose(display.validation_loss, expected)
        assert display.ax_.get_ylabel() == "Mean squared error in (k$)²"

    def test_without_early_stopping_there_is_no_validation(self):
        X = np.random.default_rng(0).normal(size=(50, 2))
        fitted = GRURegressor(2, max_iter=3, early_stopping=False, standardize="inputs", random_state=0)
        display = LossCurveDisplay.from_estimator(fitted.fit(X, X[:, 0]), ax=new_axes())
        assert len(display.lines_) == 1
        assert display.ax_.get_ylabel() == "Mean squared error (unit of the target, squared)"

    def test_unit_with_several_outputs_is_refused(self):
        X = np.random.default_rng(0).normal(size=(50, 2))
        fitted = GRURegressor(2, max_iter=2, random_state=0).fit(X, X)
        with pytest.raises(ValueError, match="has 2 outputs, so its loss has no single unit"):
            LossCurveDisplay.from_estimator(fitted, unit="$", ax=new_axes())

    def test_unfitted_estimator_is_refused(self):
        with pytest.raises(NotFittedError):
            LossCurveDisplay.from_estimator(GRURegressor())

    def test_title(self, fitted):
        display = LossCurveDisplay.from_estimator(fitted, name="Houses", ax=new_axes())
        assert display.ax_.get_title(loc="left") == "Houses"


class TestPlot:
    """What is drawn."""

    def test_constructor_only_stores(self):
        losses = [1.0, 0.5]
        display = LossCurveDisplay(training_loss=losses, best_epoch=2, loss_name="Loss", estimator_name="A")
        assert display.training_loss is losses
        assert (display.validation_loss, display.best_epoch) == (None, 2)
        assert (display.loss_name, display.estimator_name) == ("Loss", "A")
        assert not hasattr(display, "ax_")

    def test_returns_itself_with_axes_and_figure(self):
        ax = new_axes()
        display = LossCurveDisplay(training_loss=[1.0, 0.5])
        assert display.plot(ax) is display
        assert display.ax_ is ax
        assert display.figure_ is ax.figure

    def test_makes_a_figure_where_none_is_given(self):
        import matplotlib as mpl
        import matplotlib.pyplot as plt

        with mpl.rc_context({"backend": "agg"}):
            plt.switch_backend("agg")
            display = LossCurveDisplay(training_loss=[1.0, 0.5]).plot()
            assert display.figure_.number in plt.get_fignums()
            plt.close(display.figure_)

    @pytest.mark.parametrize("n", [1, 2, 60, 10_000])
    @pytest.mark.parametrize("validated", [True, False])
    def test_any_number_of_epochs(self, n, validated):
        display = LossCurveDisplay(
            training_loss=decay(n), validation_loss=decay(n, 1.1, 0.3) if validated else None, best_epoch=n
        ).plot(new_axes())
        assert display.ax_.get_xlabel() == "Epoch"
        left, right = display.ax_.get_xlim()
        assert left < 1 <= n < right
        assert right - n <= max(0.5, 0.03 * n)
        assert sum(text.startswith(f"best: epoch {n:,}\n") for text in texts(display)) == 1
        ticks = [tick for tick in display.ax_.get_xticks() if 1 <= tick <= n]
        assert all(tick == int(tick) for tick in ticks)

    def test_value_of_the_best_epoch_is_the_validation_s(self):
        display = LossCurveDisplay(
            training_loss=[1.0, 0.5, 0.4], validation_loss=[1.1, 0.625, 0.7], best_epoch=2
        ).plot(new_axes())
        assert "best: epoch 2\n0.625" in texts(display)

    def test_large_values_have_thousands_and_no_exponent(self):
        display = LossCurveDisplay(training_loss=[75_123.4, 51_614.8], best_epoch=2).plot(new_axes())
        assert "best: epoch 2\n51,615" in texts(display)
        display.figure_.draw_without_rendering()
        assert "55,000" in [label.get_text() for label in display.ax_.get_yticklabels()]

    @pytest.mark.parametrize(
        ("losses", "scale"),
        [
            ([1.0, 0.2], "linear"),
            ([1.0, 0.1], "log"),
            ([600.0, 0.05], "log"),
            ([1.0, 0.0], "linear"),
            ([0.3, 0.3], "linear"),
            ([1.0, np.nan, 0.5], "linear"),
            ([1.0, np.inf], "linear"),
            ([np.nan], "linear"),
        ],
    )
    def test_log_scale_where_losses_span_decades(self, losses, scale):
        display = LossCurveDisplay(training_loss=losses).plot(new_axes())
        assert display.ax_.get_yscale() == scale
        display.figure_.draw_without_rendering()

    def test_log_scale_over_one_decade_has_more_than_two_labels(self):
        display = LossCurveDisplay(training_loss=[1.8, 0.15]).plot(new_axes())
        display.figure_.draw_without_rendering()
        low, high = display.ax_.get_ylim()
        shown = [
            label.get_text()
            for tick, label in zip(display.ax_.get_yticks(), display.ax_.get_yticklabels(), strict=True)
            if low <= tick <= high
        ]
        assert {"0.2", "0.5", "1"} <= set(shown)

    def test_curves_are_labelled_in_their_colours(self):
        display = LossCurveDisplay(training_loss=decay(9), validation_loss=decay(9, 1.1, 0.3)).plot(
            new_axes()
        )
        colours = {text.get_text(): to_rgb(text.get_color()) for text in display.ax_.texts}
        assert colours == {line.get_label(): to_rgb(line.get_color()) for line in display.lines_}
        assert len(set(colours.values())) == 2

    def test_keywords_reach_the_lines(self):
        display = LossCurveDisplay(training_loss=decay(5)).plot(new_axes(), lw=4, linestyle=":")
        assert display.lines_[0].get_linewidth() == 4
        assert display.lines_[0].get_linestyle() == ":"

    @pytest.mark.parametrize("end", [0.2, 0.2001, 0.21, 0.4])
    def test_labels_do_not_touch_where_curves_meet(self, end):
        display = LossCurveDisplay(training_loss=decay(60), validation_loss=decay(60, 1.1, end)).plot(
            new_axes()
        )
        first, second = boxes(display)
        assert not first.overlaps(second)

    @pytest.mark.parametrize("slope", [0.0, 0.2, 0.5, 2.0, 20.0])
    @pytest.mark.parametrize("end", [0.5, 0.2, 1e-4])
    def test_text_at_the_best_epoch_hides_no_curve(self, end, slope):
        validation = decay(60, 1.1, end) + slope * np.linspace(0, 1, 60)
        display = LossCurveDisplay(
            training_loss=decay(60, 1.0, end),
            validation_loss=validation,
            best_epoch=int(np.argmin(validation)) + 1,
        ).plot(new_axes())
        box = boxes(display)[-1]
        for line in display.lines_:
            pixels = display.ax_.transData.transform(line.get_xydata())
            assert not box.count_contains(pixels)


class TestErrors:
    """What cannot be drawn is refused in words."""

    def test_no_epoch(self):
        with pytest.raises(ValueError, match=r"one number for each epoch; its shape is \(0,\)"):
            LossCurveDisplay(training_loss=[]).plot(new_axes())

    def test_lengths_that_differ(self):
        with pytest.raises(ValueError, match=r"their shapes are \(2,\) and \(3,\)"):
            LossCurveDisplay(training_loss=[1, 2], validation_loss=[1, 2, 3]).plot(new_axes())

    @pytest.mark.parametrize("best", [0, 3])
    def test_best_epoch_that_is_none_of_them(self, best):
        with pytest.raises(ValueError, match=f"best_epoch must be from 1 to 2; it is {best}"):
            LossCurveDisplay(training_loss=[1, 2], best_epoch=best).plot(new_axes())
