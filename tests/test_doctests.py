"""Every example in a docstring, and on the pages that show Python, runs and prints what it says."""

from __future__ import annotations

import doctest
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import grulearn

MODULES = sorted(module.name for module in pkgutil.walk_packages(grulearn.__path__, "grulearn."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(import_module(name)).failed == 0


PAGES = {
    "sequences": 20,
    "missing": 15,
    "categories": 10,
    "intervals": 20,
    "inspection": 10,
    "datasets": 12,
    "streaming": 25,
}


@pytest.mark.parametrize("page", PAGES)
def test_pages(page):
    path = Path(__file__).parents[1] / "docs" / f"{page}.md"
    # The fence that ends a block would count as what the last example prints.
    text = re.sub("^```.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    outcome = doctest.DocTestRunner().run(
        doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    )
    assert outcome.attempted >= PAGES[page]
    assert outcome.failed == 0


def test_public_classes_and_functions_have_examples():
    for name in ("GRU", "GRURegressor", "LossCurveDisplay", "Sequences", "load"):
        assert ">>> " in (getattr(grulearn, name).__doc__ or ""), name
