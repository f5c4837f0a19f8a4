"""Make the bundled sequences and names anew from their sources, which the files in datasets/data name.

    python tests/datasets/make_bundled.py vowels JapaneseVowels_TRAIN.ts.gz JapaneseVowels_TEST.ts.gz
    python tests/datasets/make_bundled.py surnames          # with Faker 40.63.0 installed

Nothing else runs this: the files it wrote are committed, and test_datasets.py compares their numbers with
the source's checksum.
"""

from __future__ import annotations

import gzip
import sys
import unicodedata
from collections import Counter
from importlib import import_module
from pathlib import Path

DATA = Path(__file__).parents[2] / "src" / "grulearn" / "datasets" / "data"

# Language, Faker's locale, and the list there: of last names that everybody may have, where it tells.
LISTS = [
    ("Croatian", "hr_HR", "last_names"),
    ("Dutch", "nl_NL", "last_names"),
    ("English", "en_GB", "last_names"),
    ("Estonian", "et_EE", "last_names_est"),
    ("Finnish", "fi_FI", "last_names"),
    ("French", "fr_FR", "last_names"),
    ("German", "de_DE", "last_names"),
    ("Irish", "ga_IE", "last_names"),
    ("Italian", "it_IT", "last_names"),
    ("Polish", "pl_PL", "unisex_last_names"),
    ("Spanish", "es_ES", "last_names"),
    ("Swedish", "sv_SE", "last_names"),
]
MOST = 500


def vowels(*paths: str) -> None:
    """Write one row a step: the utterance's number, the speaker, and twelve numbers as they stand."""
    lines = ["utterance,speaker," + ",".join(f"lpcc_{k}" for k in range(1, 13))]
    utterance = 0
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as cases:
            for case in cases:
                if case.startswith(("#", "@")) or not case.strip():
                    continue
                *channels, speaker = case.strip().split(":")
                # Some are written as 3.2E-4.
                columns = [[repr(float(value)) for value in channel.split(",")] for channel in channels]
                lines += [f"{utterance},{speaker}," + ",".join(row) for row in zip(*columns, strict=True)]
                utterance += 1
    _write("japanese_vowels.csv.gz", lines)


def surnames() -> None:
    """Write name and language, sorted by name."""
    lists = {language: _clean(_faker_list(locale, name)) for language, locale, name in LISTS}
    languages = Counter(name.casefold() for names in lists.values() for name in names)
    rows = []
    for language, names in lists.items():
        own = [name for name in names if languages[name.casefold()] == 1]
        # At even distances through the sorted list, so that every initial keeps its share.
        n = min(MOST, len(own))
        rows += [(own[i * len(own) // n], language) for i in range(n)]
    _write("surnames.csv.gz", ["surname,language", *map(",".join, sorted(rows))])


def _faker_list(locale: str, name: str) -> list[str]:
    return list(getattr(import_module(f"faker.providers.person.{locale}").Provider, name))


def _clean(names: list[str]) -> list[str]:
    """Keep what consists of letters, spaces, apostrophes and hyphens, without numbers such as II."""
    composed = {unicodedata.normalize("NFC", name) for name in names}
    return sorted(
        name
        for name in composed
        if all(c.isalpha() or c in " '-" for c in name)
        and not any(len(word) > 1 and word.isupper() for word in name.split())
    )


def _write(name: str, lines: list[str]) -> None:
    text = "\n".join([*lines, ""]).encode()
    (DATA / name).write_bytes(gzip.compress(text, compresslevel=9, mtime=0))


if __name__ == "__main__":
    {"vowels": vowels, "surnames": surnames}[sys.argv[1]](*sys.argv[2:])
