"""Formulas as native MathML, which current browsers render without JavaScript or a network.

conf.py chooses it with ``html_math_renderer = "mathml"``. Aligned lines are written with ``split``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

# The prime sign is drawn small and high already; raised once more as an exponent it would be a speck.
PRIME = re.compile("<msup>(<mi>[^<]+</mi>)<mi>&#x02032;</mi></msup>")

CLOSING = tuple("，。；：、！？）”")


def to_mathml(node: nodes.math | nodes.math_block, *, display: str) -> str:
    """Translate one formula; `display` is "inline" or "block".

    latex2mathml passes what it does not know on as letters; such a formula is warned about, so that a strict
    build stops instead of printing a command's name.
    """
    mathml = convert(node.astext(), display=display)
    if "<mi>&</mi>" in mathml or "<mi>\\" in mathml:
        logger.warning("latex2mathml does not know a command in: %s", node.astext(), location=node)
    return PRIME.sub(r'<mrow>\1<mo lspace="0" rspace="0">&#x02032;</mo></mrow>', mathml)


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula that stands in a line of text."""
    mathml = to_mathml(node, display="inline")
    if "closing" in node:
        mathml = f'<span class="unbroken">{mathml}{node["closing"]}</span>'
    translator.body.append(mathml)
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula, with its number if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="formula"))
    translator.body.append(to_mathml(node, display="block"))
    if node["number"]:
        translator.body.append(f'<span class="formula-number">({node["number"]})')
        translator.add_permalink_ref(node, "Link to this formula")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def keep_punctuation(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Tie a Chinese punctuation mark to the formula before it.

    Browsers may break a line after a formula, and would let the next line begin with the mark; a word joiner
    does not stop them.
    """
    for node in list(doctree.findall(nodes.math)):
        rest = node.next_node(descend=False, siblings=True)
        if isinstance(rest, nodes.Text) and rest.startswith(CLOSING):
            node["closing"] = rest[0]
            rest.parent.replace(rest, nodes.Text(rest[1:]))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer."""
    app.connect("doctree-resolved", keep_punctuation)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
