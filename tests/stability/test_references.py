from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from chggen.crystals.composition import SYMBOLS
from chggen.errors import InputError
from chggen.potential import default_levels
from chggen.stability import references
from chggen.stability.joined_references import joined, references_of
from chggen.stability.references import (
    ReferenceEntry,
    References,
    element_mask,
    write_references,
)
from chggen.symmetry import structure_fingerprint


def entry(name, formula, energy=-1.0, level="pbe", **more):
    return ReferenceEntry(id=name, formula=formula, level=level, energy_per_atom=energy, **more)


ENTRIES = [
    entry("zn", "Zn", -1.25, space_group=194, n_atoms=2),
    entry("s", "S8", -4.0, relaxed=False),
    entry("zns", "Zn2S2", -3.7),
    entry("zns-w", "ZnS", -3.75),
    entry("zns", "ZnS", -9.0, level="r2scan"),
    entry("p", "P", -5.0),
    entry("u", "U", -11.0),
]


def test_system_holds_its_subsystems_only():
    table = References.from_entries(ENTRIES)
    assert [e.id for e in table.system(["Zn", "S"], "pbe")] == ["zn", "s", "zns", "zns-w"]
    assert [e.id for e in table.system(["S"], "pbe")] == ["s"]
    assert [e.id for e in table.system(["U", "P"], "pbe")] == ["p", "u"]  # bits in both words
    assert table.system(["O"], "pbe") == []


def test_levels_never_mix():
    table = References.from_entries(ENTRIES)
    assert [(e.id, e.energy_per_atom) for e in table.system(["Zn", "S"], "r2scan")] == [("zns", -9.0)]
    assert table.levels == ("pbe", "r2scan")
    own = References.from_entries([entry("mine", "ZnS", level="pbe-dft")])
    assert own.levels == ("pbe", "r2scan", "pbe-dft")
    assert own.system(["Zn", "S"], "pbe") == []
    assert len(table) == 6


def test_same_formula_is_reduced_and_sorted_by_energy():
    table = References.from_entries([*ENTRIES, entry("zns2", "ZnS2")])
    assert [e.id for e in table.same_formula("Zn3S3", "pbe")] == ["zns-w", "zns"]
    assert table.same_formula("Zn3S", "pbe") == []


def _told(entries):
    """Entries as text that holds every digit: a drop that is not known is NaN, which does not even equal itself."""
    return [repr(e) for e in entries]


def test_file_gives_back_what_was_written(tmp_path):
    path = tmp_path / "new" / "table"
    written = write_references(ENTRIES, path)
    read = References.load(path)
    for level in default_levels():
        found, expected = (references.system(["Zn", "S", "P", "U"], level) for references in (read, written))
        assert found
        assert _told(found) == _told(expected)
    first = read.system(["Zn"], "pbe")[0]
    assert _told([first]) == _told(ENTRIES[:1])
    assert not read.system(["S"], "pbe")[0].relaxed
    assert [p.name for p in path.parent.iterdir()] == ["table"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([entry("a", "Zn", level="")], "has no level of theory"),
        ([entry("a", "Zn", float("nan"))], "has energy nan"),
        ([entry("a", "Zn"), entry("a", "Zn")], "twice"),
        ([entry("a", "Zn"), entry("a", "S", level="r2scan")], "both Zn and S"),
        ([entry("a", "Zq")], "unknown element"),
    ],
)
def test_entries_refused(rows, says, tmp_path):
    with pytest.raises(InputError, match=says):
        write_references(rows, tmp_path / "t.npz")
    assert not list(tmp_path.iterdir())


def test_files_refused(tmp_path):
    with pytest.raises(InputError, match="no reference table at"):
        References.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(InputError, match="is not a reference table"):
        References.load(tmp_path / "text.npz")
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="is not a reference table"):
        References.load(tmp_path / "foreign.npz")


def test_without_a_shipped_table_it_is_empty_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(references, "SHIPPED", tmp_path / "absent.npz")
    references._shipped.cache_clear()
    try:
        table = References.load()
        assert len(table) == 0
        assert "references build" in (table.reason or "")
        assert table.system(["Zn"], "pbe") == []
        assert table.levels == tuple(default_levels())
        assert References.load() is table
    finally:
        references._shipped.cache_clear()


def test_unknown_level_and_element_refused():
    table = References.from_entries(ENTRIES)
    with pytest.raises(
        InputError, match="at the levels pbe and r2scan, not at 'hse'; energies of different levels cannot be"
    ):
        table.system(["Zn"], "hse")
    with pytest.raises(InputError, match="unknown element 'Xx'"):
        table.system(["Xx"], "pbe")
    assert table.unknown_ids(["zn", "nothing"]) == ["nothing"]


@given(st.sets(st.sampled_from(SYMBOLS)), st.sets(st.sampled_from(SYMBOLS)))
def test_masks_are_sets(one, other):
    inside = all(a & ~b == 0 for a, b in zip(element_mask(one), element_mask(other), strict=True))
    assert inside == (one <= other)


def test_a_hundred_thousand_entries_are_searched_fast():
    rng = np.random.default_rng(0)
    n = 100_000
    pairs = rng.integers(0, 90, (n, 2))
    words = np.zeros((n, 2), np.uint64)
    for column in pairs.T:
        words[np.arange(n), column // 64] |= np.uint64(1) << (column % 64).astype(np.uint64)
    table = References(
        levels=tuple(default_levels()),
        ids=np.array([f"x-{i}" for i in range(n)]),
        formulas=np.array([SYMBOLS[a] + SYMBOLS[b] for a, b in pairs]),
        masks=words,
        energies=np.zeros((n, 2), np.float32),
        relaxed=np.ones((n, 2), bool),
        space_groups=np.ones(n, np.int16),
        n_atoms=np.ones(n, np.int32),
        drops=np.zeros(2),
        fingerprints=np.zeros(n, np.uint64),
    )
    start = time.process_time()
    found = table.system(["Zn", "S", "P"], "pbe")
    assert time.process_time() - start < 0.5
    wanted = {SYMBOLS.index(s) for s in ("Zn", "S", "P")}
    assert len(found) == sum(a in wanted and b in wanted for a, b in pairs)


def test_joined_tables_keep_levels_apart():
    own = References.from_entries([entry("mine", "ZnS", -4.0, level="pbe-dft"), entry("mine", "ZnS", -3.5)])
    shipped = References.from_entries([entry("zn", "Zn", -1.0), entry("s", "S", -4.0, level="r2scan", drop=0.02)])
    both = joined([shipped, own])
    assert both.levels == ("pbe", "r2scan", "pbe-dft")
    assert [(e.id, e.energy_per_atom) for e in both.system(["Zn", "S"], "pbe")] == [("zn", -1.0), ("mine", -3.5)]
    assert [e.id for e in both.system(["Zn", "S"], "pbe-dft")] == ["mine"]
    np.testing.assert_array_equal(both.drops, [np.nan, 0.02, np.nan])
    assert joined([own]) is own


def test_the_later_of_two_tables_counts():
    first = References.from_entries([entry("mp-1", "Zn", -1.0), entry("mp-2", "S", -4.0), entry("mp-3", "ZnS", -3.5)])
    later = References.from_entries([entry("mp-3", "Zn2S2", -3.6), entry("mp-1", "Zn", -9.0, level="pbe-dft")])
    both = joined([first, later])
    assert {e.id: e.energy_per_atom for e in both.system(["Zn", "S"], "pbe")} == pytest.approx(
        {"mp-1": -1.0, "mp-2": -4.0, "mp-3": -3.6}
    )
    assert [e.energy_per_atom for e in both.system(["Zn"], "pbe-dft")] == [-9.0]
    other = References.from_entries([entry("mp-1", "S", -4.1)])
    with pytest.raises(InputError, match="mp-1 is Zn and S in two of the reference tables; rename one of them"):
        joined([first, other])


def test_without_a_fingerprint_a_phase_is_only_told_to_agree_in_energy_and_group():
    table = References.from_entries(
        [entry("low", "ZnS", -3.5, space_group=216), entry("static", "ZnS", -3.4, relaxed=False, space_group=186)]
    )
    assert table.known_as("Zn2S2", -3.497, "pbe", 216) == "same group and energy as low"
    assert table.known_as("Zn2S2", -3.497, "pbe", 216, BLENDE) == "same group and energy as low"
    assert table.known_as("ZnS", -3.497, "pbe", 186) is None
    assert table.known_as("ZnS", -3.52, "pbe", 216) is None
    # relaxing the static entry would take it there
    assert table.known_as("ZnS", -3.415, "pbe", 186) == "same group and energy as static"
    assert table.known_as("ZnS", -3.43, "pbe", 186) is None
    assert table.known_as("ZnS", -3.39, "pbe", 186) is None


BLENDE = Structure.from_spacegroup("F-43m", Lattice.cubic(5.4), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]])
SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.1), ["Zn", "S"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_the_same_structure_and_energy_are_a_known_phase():
    fingerprint = structure_fingerprint(BLENDE)
    table = References.from_entries(
        [
            entry("far", "ZnS", -3.503, space_group=216, fingerprint=fingerprint),
            entry("blende", "ZnS", -3.5, space_group=216, fingerprint=fingerprint),
            entry("other", "ZnS", -3.5, space_group=225, fingerprint="00000000000000ab"),
        ]
    )
    supercell = BLENDE.get_primitive_structure() * [2, 1, 1]
    assert table.known_as("ZnS", -3.499, "pbe", 216, supercell) == "blende"  # the nearest in energy
    assert table.known_as("ZnS", -3.49, "pbe", 216, BLENDE) is None  # 10 meV/atom away
    assert table.known_as("ZnS", -3.5, "pbe", 225, SALT) is None  # other structures, whatever their group and energy
    assert table.known_as("ZnS", -3.5, "pbe", 216) == "same group and energy as blende"  # no structure to compare


def test_a_static_phase_is_known_from_above():
    table = References.from_entries(
        [entry("static", "ZnS", -3.4, relaxed=False, fingerprint=structure_fingerprint(BLENDE))]
    )
    assert table.known_as("ZnS", -3.415, "pbe", 216, BLENDE) == "static"
    assert table.known_as("ZnS", -3.39, "pbe", 216, BLENDE) is None


def test_files_of_the_format_before_have_unknown_fingerprints(tmp_path):
    write_references([entry("a", "Zn", fingerprint="00000000000000ab"), entry("b", "ZnS")], tmp_path / "t.npz")
    assert [e.fingerprint for e in References.load(tmp_path / "t.npz").system(["Zn", "S"], "pbe")] == [
        "00000000000000ab",
        "",
    ]
    with np.load(tmp_path / "t.npz") as file:
        arrays = {key: file[key] for key in file.files}
    for number, says in ((5, "newer chggen wrote; update chggen"), (1, "no longer read; build it again")):
        np.savez(tmp_path / "t.npz", **{**arrays, "format": np.array(number)})
        with pytest.raises(InputError, match=says):
            References.load(tmp_path / "t.npz")
    del arrays["fingerprints"]
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(InputError, match="is not a reference table"):
        References.load(tmp_path / "t.npz")
    np.savez(tmp_path / "t.npz", **{**arrays, "format": np.array(2)})
    assert {e.fingerprint for e in References.load(tmp_path / "t.npz").system(["Zn", "S"], "pbe")} == {""}


@pytest.mark.parametrize("name", ["energies", "masks", "drops"])
def test_arrays_that_do_not_belong_together_are_refused(tmp_path, name):
    write_references([entry("a", "Zn"), entry("b", "ZnS")], tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as file:
        arrays = {key: file[key] for key in file.files}
    arrays[name] = np.zeros_like(arrays[name]) if name == "masks" else arrays[name][:1, ...][..., :1]
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(InputError, match=r"is not a reference table \(.*build or import it anew"):
        References.load(tmp_path / "t.npz")


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, lambda a: a.astype(str)) for name in ("energies", "masks", "relaxed", "space_groups", "n_atoms", "drops")]
    + [(name, lambda a: np.full(a.shape, np.inf)) for name in ("energies", "masks", "relaxed", "fingerprints")]
    + [(name, lambda a: np.arange(a.size)) for name in ("ids", "formulas", "levels")],
)
def test_arrays_of_another_kind_are_refused(tmp_path, name, change):
    write_references([entry("a", "Zn"), entry("b", "ZnS")], tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as file:
        arrays = {key: file[key] for key in file.files}
    np.savez(tmp_path / "t.npz", **{**arrays, name: change(arrays[name])})
    with pytest.raises(InputError, match=r"is not a reference table \(.*build or import it anew"):
        References.load(tmp_path / "t.npz")


def test_levels_of_ones_own_are_kept_in_files(tmp_path):
    write_references([entry("mine", "ZnS", -4.0, level="pbe-dft")], tmp_path / "own.npz")
    table = references_of([str(tmp_path / "own.npz")])
    assert table.system(["Zn", "S"], "pbe-dft")[0].level == "pbe-dft"
    assert references_of([]) is References.load()
    assert len(references_of(["shipped", str(tmp_path / "own.npz")])) == len(References.load()) + 1


def test_the_shipped_table_holds_the_hull_at_the_level_of_a_judge():
    table = References.load()
    if table.reason is not None:
        pytest.skip(table.reason)
    column = table.column("sevennet-l3i5")
    assert np.isfinite(table.energies[:, column]).sum() > 33_000
    assert table.all_alike("sevennet-l3i5")
    assert not table.all_alike("pbe")  # where the hull is relaxed
    (known,) = [e for e in table.same_formula("NaCl", "sevennet-l3i5") if e.space_group == 225]
    assert not known.relaxed
