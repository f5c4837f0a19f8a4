"""The loss over the epochs of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from grulearn.displays._annotations import label_ends, mark_best

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike, NDArray

# Okabe and Ito's blue and vermilion: told apart with every common colour vision, and in grey.
_TRAINING_COLOUR = "#0072B2"
_VALIDATION_COLOUR = "#D55E00"
_GRID_COLOUR = "#E4E4E4"

# A linear axis shows a tenth of its height well, and less than that badly.
_LOG_SCALE_FROM_RATIO = 10.0
# Up to this many epochs the points are told apart, and a line alone would hide how few there are.
_MARKERS_UP_TO_EPOCHS = 12


class LossCurveDisplay:
    """Training and validation loss over the epochs of a fit, with the best epoch marked.

    Use `from_estimator` to create one. All parameters are stored as attributes.

    Parameters
    ----------
    training_loss : array-like of shape (n_epochs,)
        The mean loss of each epoch.
    validation_loss : array-like of shape (n_epochs,), default=None
        The loss on the validation part after each epoch, if there was one.
    best_epoch : int, default=None
        The epoch to mark, counted from 1. None marks none.
    loss_name : str, default="Mean squared error"
        What the y axis shows, with its unit.
    estimator_name : str, default=None
        The title. None draws none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the curves.
    figure_ : matplotlib Figure
        The figure with the axes.
    lines_ : list of matplotlib Line2D
        The curves: training, then validation if there is one.

    Examples
    --------
    >>> from grulearn.displays import LossCurveDisplay
    >>> display = LossCurveDisplay(
    ...     training_loss=[1.0, 0.5, 0.4], validation_loss=[1.1, 0.6, 0.7], best_epoch=2
    ... ).plot()
    >>> display.ax_.get_xlabel()
    'Epoch'
    """

    ax_: Axes
    figure_: Figure
    lines_: list[Line2D]

    def __init__(
        self,
        *,
        training_loss: ArrayLike,
        validation_loss: ArrayLike | None = None,
        best_epoch: int | None = None,
        loss_name: str = "Mean squared error",
        estimator_name: str | None = None,
    ) -> None:
        self.training_loss = training_loss
        self.validation_loss = validation_loss
        self.best_epoch = best_epoch
        self.loss_name = loss_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        unit: str | None = None,
        squared: bool = False,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> LossCurveDisplay:
        """Draw the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : fitted GRURegressor
            Its ``loss_curve_``, ``validation_scores_`` and ``best_iter_`` are drawn.
        unit : str, default=None
            The unit of the target, for instance ``"$"`` or ``"MW"``. With it the curves are root mean squared
            errors in that unit, which needs an estimator with one output; without it they are the loss that
            the network saw.
        squared : bool, default=False
            With a unit: draw mean squared errors, without the root.
        name : str, default=None
            The title. None draws none.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            Passed on to `plot`.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ValueError
            If a unit is given for an estimator with several outputs, or with another loss than the squared
            error.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(estimator, "loss_curve_")
        training = np.asarray(estimator.loss_curve_, dtype=float)
        scores = estimator.validation_scores_
        validation = None if scores is None else np.asarray(scores, dtype=float)
        if unit is None:
            loss_name = _name_of_loss(estimator)
        else:
            _require_squared_error(estimator)
            loss_name = (
                f"Mean squared error in ({unit})²" if squared else f"Root mean squared error in {unit}"
            )
            variance, power = _single_target_scale(estimator) ** 2, 1.0 if squared else 0.5
            training = (training * variance) ** power
            validation = None if validation is None else (validation * variance) ** power
        display = cls(
            training_loss=training,
            validation_loss=validation,
            best_epoch=estimator.best_iter_ or None,  # 0 if the first epoch diverged
            loss_name=loss_name,
            estimator_name=name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> LossCurveDisplay:
        """Draw the curves.

        The y axis is logarithmic if the losses differ by a factor of ten or more.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            Passed on to matplotlib's ``plot`` for each of the curves.

        Returns
        -------
        LossCurveDisplay
            Itself, with ``ax_``, ``figure_`` and ``lines_``.

        Raises
        ------
        ValueError
            If there is no epoch to draw, or the two curves differ in length.
        """
        curves = self._curves()
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")[1]
        self.ax_, self.figure_ = ax, cast("Figure", ax.get_figure(root=True))
        self.lines_ = [_draw_curve(ax, losses, label, colour, kwargs) for label, losses, colour in curves]
        _set_scales(ax, [losses for _, losses, _ in curves])
        _style(ax, self.loss_name, self.estimator_name)
        label_ends(ax, self.lines_)
        if self.best_epoch is not None:
            mark_best(ax, self.lines_, self.best_epoch)
        return self

    def _curves(self) -> list[tuple[str, NDArray[np.float64], str]]:
        training = np.asarray(self.training_loss, dtype=float)
        if training.ndim != 1 or training.size == 0:
            raise ValueError(
                f"training_loss must hold one number for each epoch; its shape is {training.shape}."
            )
        curves = [("training", training, _TRAINING_COLOUR)]
        if self.validation_loss is not None:
            validation = np.asarray(self.validation_loss, dtype=float)
            if validation.shape != training.shape:
                raise ValueError(
                    "training_loss and validation_loss must have one number each for every epoch; "
                    f"their shapes are {training.shape} and {validation.shape}."
                )
            curves.append(("validation", validation, _VALIDATION_COLOUR))
        if self.best_epoch is not None and not 1 <= self.best_epoch <= training.size:
            raise ValueError(f"best_epoch must be from 1 to {training.size}; it is {self.best_epoch}.")
        return curves


def _name_of_loss(estimator: Any) -> str:
    """Say which loss it is, and in which unit the network saw the target."""
    loss = estimator.spec_.head.loss
    name = _LOSS_NAMES[loss]
    if loss not in _IN_UNITS_OF_THE_TARGET:
        return name
    if estimator.standardize is True:
        return f"{name} (standardised target)"
    return f"{name} (unit of the target{', squared' if loss == 'squared_error' else ''})"


_LOSS_NAMES = {
    "squared_error": "Mean squared error",
    "absolute_error": "Mean absolute error",
    "huber": "Huber loss",
    "pinball": "Pinball loss",
    "poisson": "Poisson deviance, half of it",
    "gaussian": "Negative log-likelihood",
    "cross_entropy": "Cross-entropy",
    "binary_cross_entropy": "Cross-entropy",
}
_IN_UNITS_OF_THE_TARGET = ("squared_error", "absolute_error", "huber", "pinball")


def _require_squared_error(estimator: Any) -> None:
    loss = estimator.spec_.head.loss
    if loss != "squared_error":
        raise ValueError(
            f"unit: with a unit the curves are roots of squared errors, and this estimator's loss is "
            f"{loss!r}; leave unit out to draw the loss as the network saw it."
        )


def _single_target_scale(estimator: Any) -> float:
    scale = np.atleast_1d(estimator.target_scale_)
    if scale.size != 1:
        raise ValueError(
            f"the estimator has {scale.size} outputs, so its loss has no single unit; leave unit out to draw "
            "the loss as the network saw it."
        )
    return float(scale[0])


def _draw_curve(
    ax: Axes, losses: NDArray[np.float64], label: str, colour: str, kwargs: dict[str, Any]
) -> Line2D:
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    few = losses.size <= _MARKERS_UP_TO_EPOCHS
    style: dict[str, Any] = {
        "color": colour,
        "linewidth": 1.6,
        "marker": "o" if few else None,
        "markersize": 4.0,
        "label": label,
    }
    return ax.plot(np.arange(1, losses.size + 1), losses, **(style | normalize_kwargs(kwargs, Line2D)))[0]


def _set_scales(ax: Axes, curves: Sequence[NDArray[np.float64]]) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    finite = np.concatenate(curves)
    finite = finite[np.isfinite(finite)]
    lowest, highest = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if lowest > 0 and highest >= _LOG_SCALE_FROM_RATIO * lowest:
        _set_log_scale(ax, highest / lowest)
    elif highest >= 1000:
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))
    n_epochs = curves[0].size
    # A little room on both sides keeps the first and the last point off the frame.
    margin = max(0.02 * (n_epochs - 1), 0.5 if n_epochs == 1 else 0.02)
    ax.set_xlim(1 - margin, n_epochs + margin)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _set_log_scale(ax: Axes, ratio: float) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_yscale("log")
    if ratio < 200:  # few powers of ten are in sight: label the steps between them too
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _style(ax: Axes, loss_name: str, title: str | None) -> None:
    ax.set_xlabel("Epoch")
    ax.set_ylabel(loss_name)
    if title is not None:
        ax.set_title(title, loc="left", fontsize="large")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, which="major", color=_GRID_COLOUR, linewidth=0.8)
    ax.set_axisbelow(True)
