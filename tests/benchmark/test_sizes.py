"""The grid: comparison, checks, table and picture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grulearn.benchmark import DisagreementError
from grulearn.benchmark.cases import Case
from grulearn.benchmark.picture import draw_sizes
from grulearn.benchmark.sections import sizes
from grulearn.benchmark.sections._work import CaseWork, Work
from grulearn.benchmark.timing import Gauge, Timing

TINY = (Case(2, 3, 4, 5), Case(1, 4, 2, 3))


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(sizes, "GRID", TINY)


def timing(seconds, cores=1.0, calls=100):
    return Timing(seconds, seconds, seconds, (seconds,), calls, cores)


def work(ours, peak_threads=2, flops=1_000_000, cores=1.0, **others):
    seconds = {"grulearn": timing(ours), **{name: timing(value, cores) for name, value in others.items()}}
    return Work(Gauge(1e12, (1e12,)), peak_threads, dict.fromkeys(seconds, flops), seconds)


def results(**options):
    by_kind = {
        "inference": work(2e-6, torch=6e-6, onnxruntime=4e-6, **options),
        "training": work(5e-6, torch=1e-4, **options),
    }
    libraries = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime"}
    return sizes.SizesResult(2, libraries, [CaseWork(Case(32, 100, 32, 64), by_kind)])


def test_compares_with_every_library(tiny, context, fake_library):
    measured = sizes.measure(replace(context, libraries=(fake_library(),)))
    assert [result.case for result in measured.cases] == list(TINY)
    assert measured.libraries == {"fake": "Fake"}
    for result in measured.cases:
        for kind, flops in (
            ("inference", result.case.inference_flops()),
            ("training", result.case.training_flops()),
        ):
            done = result.work[kind]
            assert list(done.seconds) == ["grulearn", "fake"]
            assert done.flops == {"grulearn": flops, "fake": flops}
            assert 0 < done.fraction() < 1
            assert done.ratio("fake") > 0


def test_a_library_without_training_is_compared_in_inference(tiny, context, fake_library):
    measured = sizes.measure(replace(context, libraries=(fake_library(trains=False),)))
    assert list(measured.cases[0].work["training"].seconds) == ["grulearn"]
    (table,) = sizes.tables(measured)
    assert table.header == ("case", "inference", "of peak", "Fake", "training step", "of peak")


@pytest.mark.parametrize("error", [{"output_error": 1e-3}, {"loss_error": 1e-2}])
def test_other_results_end_the_run(tiny, context, fake_library, error):
    with pytest.raises(DisagreementError, match="N2 T3 F4 H5: .*fake"):
        sizes.measure(replace(context, libraries=(fake_library(**error),)))


def test_the_table():
    (table,) = sizes.tables(results())
    assert table.header == (
        "case", "inference", "of peak", "PyTorch", "ONNX Runtime", "training step", "of peak", "PyTorch",
    )  # fmt: skip
    assert table.rows == [("N32 T100 F32 H64", "2.00 µs", "50 %", "3.0x", "2.0x", "5.00 µs", "20 %", "20x")]


def test_a_case_for_one_thread_is_marked():
    (table,) = sizes.tables(results(peak_threads=1))
    assert table.rows[0][2] == "50 % (1)"


def test_a_library_on_more_cores_is_named():
    (table,) = sizes.tables(results(cores=3.9, flops=1))
    assert "busy" not in table.text  # 100 calls of microseconds say nothing
    slow = CaseWork(Case(1, 1, 1, 1), {"inference": work(1.0, torch=2.0, cores=3.9)})
    measured = sizes.SizesResult(2, {"torch": "PyTorch"}, [slow])
    assert sizes._unfair(measured) == ["PyTorch was given 2 threads and kept up to 3.9 cores busy."]


def test_the_picture(tmp_path):
    figure = draw_sizes(results(), "a processor")
    inference, training, fractions = figure.axes
    assert [text.get_text() for text in inference.get_legend().get_texts()] == ["PyTorch", "ONNX Runtime"]
    assert [text.get_text() for text in training.get_legend().get_texts()] == ["PyTorch"]
    assert [label.get_text() for label in inference.get_yticklabels()] == ["N32 T100 F32 H64"]
    drawn = {line.get_label(): line.get_xdata() for line in fractions.lines}
    assert drawn["inference"] == pytest.approx([0.5])
    assert drawn["training step"] == pytest.approx([0.2])
    figure.savefig(tmp_path / "sizes.png")


def test_the_picture_without_other_libraries():
    alone = {"inference": work(2e-6), "training": work(5e-6)}
    figure = draw_sizes(sizes.SizesResult(2, {}, [CaseWork(TINY[0], alone)]), "a processor")
    (fractions,) = figure.axes
    assert fractions.get_title(loc="left") == "grulearn: of the FMA peak"
    assert [label.get_text() for label in fractions.get_yticklabels()] == [TINY[0].label]
