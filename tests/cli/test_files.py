"""Writing whole or not at all."""

from __future__ import annotations

import pytest

from grulearn.cli._errors import BadInput
from grulearn.cli._files import check_all_differ, check_can_make_folder, check_can_write, replacing


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_replacing_puts_the_new_file_in_place(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file"]


def test_replacing_keeps_the_old_file_on_failure(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_new_files_have_the_usual_permissions(tmp_path):
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("new")
    (tmp_path / "other").write_text("")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_checks_leave_nothing_behind(tmp_path):
    check_can_write(tmp_path / "model.gru", None)
    check_can_make_folder(tmp_path / "a" / "b")
    check_can_make_folder(tmp_path)
    assert names(tmp_path) == []


def test_same_file_under_two_names_is_found(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    check_all_differ(a=tmp_path / "one", b=tmp_path / "two", c=None, d=None)
    with pytest.raises(BadInput, match="b and a are the same file"):
        check_all_differ(a=tmp_path / "file", b=tmp_path / "link")
