"""Sequences: the one form in which data travels.

N sequences of T_i steps are kept as Arrow keeps a list view: the steps of all sequences are rows of one
matrix (of one for each kind: numbers, codes of categories, times), and sequence `i` is ``rows[starts[i] :
starts[i] + lengths[i]]``. Picking, ordering or repeating sequences copies two integers for each and no data;
windows over a long log are views that overlap; nothing is padded.
"""

from __future__ import annotations

from grulearn.sequences._forms import are_vectors, is_frame, listed
from grulearn.sequences._frames import column_kinds
from grulearn.sequences._reading import as_sequences, listed_sequences
from grulearn.sequences._schema import Schema
from grulearn.sequences._sequences import Sequences
from grulearn.sequences._values import is_missing

__all__ = [
    "Schema",
    "Sequences",
    "are_vectors",
    "as_sequences",
    "column_kinds",
    "is_frame",
    "is_missing",
    "listed",
    "listed_sequences",
]
