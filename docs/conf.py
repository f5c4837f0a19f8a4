"""Sphinx configuration. Nothing on the built pages is fetched from a network."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grulearn import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "grulearn"
author = "the grulearn developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "command_help",
]
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]  # a list like that of the parameters
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc sections say types and shapes; the signature would say them twice
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"grulearn {version}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["grulearn.css"]
html_show_sphinx = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "monokai"

CHINESE = "zh/"
TYPED = re.compile(r"(\w[\w, ]*) : ([^`]+)")


def say_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Mark the Chinese pages as such: browsers choose glyphs, and screen readers voices, by it."""
    if page.startswith(CHINESE):
        context["language"] = "zh-Hans"


def prepare_docstring(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Change what napoleon would misread.

    A type such as ``shape (n_outputs_,)`` would hold a link to a target of that name, and one from "shape" to
    some attribute that is called so: types are set as code. A property's summary with a colon would be
    split into a type and the rest: an empty first line keeps it whole.
    """
    if what in ("attribute", "property"):
        lines.insert(0, "")
    section = ""
    for i, line in enumerate(lines):
        if i + 1 < len(lines) and lines[i + 1].startswith("---"):
            section = line
        named = TYPED.fullmatch(line)
        if section in ("Parameters", "Attributes", "Returns") and named:
            lines[i] = f"{named[1]} : ``{named[2]}``"


def setup(app: Sphinx) -> None:
    """Connect the hooks."""
    app.connect("autodoc-process-docstring", prepare_docstring, priority=400)  # before napoleon, at 500
    app.connect("html-page-context", say_language)
