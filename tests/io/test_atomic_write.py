from __future__ import annotations

import pytest

from chggen.io.atomic_write import whole


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "table.npz"
    with whole(path) as temporary:
        assert temporary.suffix == ".npz"
        temporary.write_text("old")
        assert not path.exists()

    def fails():
        with whole(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
