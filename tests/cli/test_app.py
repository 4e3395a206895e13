"""The command line: help, refusals of one sentence that leave nothing behind, and golden lines."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ase.io import read
from pymatgen.core import Lattice, Structure

from chggen import __version__
from chggen.cli import app as cli
from chggen.cli.options import as_typed
from chggen.io.toml import read_toml
from chggen.results.candidate import failed
from chggen.results.database import read_candidates
from chggen.results.folder import Store
from chggen.results.ranking import rank
from chggen.score import build_score_model, save_checkpoint
from chggen.stability.references import ReferenceEntry, References, write_references

_COMMANDS = (
    "predict", "generate", "inpaint", "relax", "refine", "hull", "references build", "references show", "train",
    "export", "report", "merge",
)  # fmt: skip
_EMT = "ase:ase.calculators.emt:EMT"
_SITES = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
Chggen = Callable[..., tuple[int, str, str]]


@pytest.fixture
def chggen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Chggen:
    """Run a command line in this process, in an empty working folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["chggen", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


def _write_host(name: str, structure: Structure | None = None) -> None:
    host = structure or Structure(Lattice.cubic(4.05), ["Al"] * 3, _SITES[:3])
    host.to(name, fmt="poscar" if name.startswith("POSCAR") else "cif")


_SHARED = {"--seed": ("predict", "generate", "inpaint", "train")}  # where anything is drawn at random
_SHARED |= {"--device": ("predict", "generate", "inpaint", "relax", "hull", "train", "references build")}
_SHARED |= {"--order": ("inpaint", "relax", "refine", "hull")}
_SHARED |= {"--workers": ("predict", "generate", "inpaint", "relax", "references build")}


@pytest.mark.parametrize("command", _COMMANDS)
def test_commands_share_options_and_take_none_that_does_nothing(chggen: Chggen, command: str) -> None:
    code, shown, _ = chggen(*command.split(), "--help")
    assert code == 0
    names = set(shown.replace(",", " ").split())
    assert {"--out", "-o"} <= names
    for option, commands in _SHARED.items():
        assert (option in names) == (command in commands), option


def test_an_option_that_has_no_effect_is_refused(chggen: Chggen) -> None:
    _write_host("host.cif")
    for line, named in (
        ("generate NaCl --no-relax --fmax 0.3", "chggen: --fmax has no effect without relax"),
        ("hull --formula NaCl --energy -3.6 --device cuda", "--device has no effect with --formula"),
        ("hull --formula NaCl --energy -3.6 --fix-cell", "--fix-cell has no effect"),
        ("hull --formula NaCl --energy -3.6 --order", "--order has no effect"),
        ("report run --level pbe", "--level is that of a phase diagram"),
        ("generate NaCl --anchor renoise", "anchor renoise has no effect without a host"),
    ):
        code, _, complaint = chggen(*line.split())
        assert code == 2
        assert named in complaint
    for line in ("refine host.cif --workers 2", "export run --seed 1", "generate NaCl --jump-length 3"):
        code, _, complaint = chggen(*line.split())
        assert code == 2
        assert "No such option" in complaint


def test_the_help_says_how_many_candidates_come(chggen: Chggen) -> None:
    for command, told in (
        ("predict", "of each cell size"),
        ("generate", "of each cell size"),
        ("inpaint", "Number of"),
    ):
        assert told in " ".join(chggen(command, "--help")[1].split())


def test_the_help_says_where_results_go(chggen: Chggen) -> None:
    for command, default in (("predict", "runs/FORMULA, or"), ("generate", "runs/FORMULA]"), ("relax", "runs/relax]")):
        assert default in " ".join(chggen(command, "--help")[1].split())


def test_a_refusal_names_the_option_that_was_typed(chggen: Chggen) -> None:
    for line, named in (
        ("generate NaCl -n-3", "chggen: -n: "),
        ("generate NaCl --max-atoms=0", "chggen: --max-atoms: "),
        ("generate NaCl --time-limit 0", "chggen: --time-limit: "),
    ):
        assert chggen(*line.split())[2].startswith(named)
    assert as_typed("max_atoms: too few", ["generate", "--seed", "1"]) == "max_atoms: too few"
    assert as_typed("formula units are too many", ["--formula", "X"]) == "formula units are too many"


def test_the_version_is_shown(chggen: Chggen) -> None:
    code, shown, _ = chggen("--version")
    assert (code, shown) == (0, f"chggen {__version__}\n")


def test_help_lists_every_command_and_comes_at_once(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("chggen")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # measuring takes time too
    times = []
    for _ in range(3):
        start = _seconds_of_children()
        help_ = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path, env=bare)
        times.append(_seconds_of_children() - start)
    shown = help_.stdout
    assert {name.split()[0] for name in _COMMANDS} <= set(shown.split())
    assert min(times) < 0.5


def _seconds_of_children() -> float:
    """Of the processor, so that other programs that run do not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_BAD = {
    "formula that cannot be parsed": ("generate zn--", "cannot read formula"),
    "unknown element": ("generate Xy2O3", "unknown element 'Xy'"),
    "empty formula": ("predict ''", "formula is empty"),
    "guest not in the formula": ("predict ZnP2S6 --guest Li", "guest 'Li' is not in the formula"),
    "all species guests": ("predict ZnS --guest Zn --guest S", "all species"),
    "no candidates": ("generate NaCl -n 0", "chggen: -n: .* greater than or equal to 1, got 0"),
    "negative seed": ("generate NaCl --seed -1", "chggen: --seed: .*got -1"),
    "volume without size": ("generate NaCl --volume 0", "chggen: --volume: .*got 0"),
    "hardly a volume": ("generate NaCl --volume 1e-9", "volume: .*got 1e-09"),
    "more volume than any crystal": ("predict NaCl --volume 1e200", "volume: .*got 1e.?200"),
    "prototypes in another group": (
        "generate NaCl --cells-from prototype --space-group 225", "chggen: --space-group: .* got '225'"
    ),
    "unrelaxed with no potential": ("generate NaCl --no-relax --potential lennard", "--potential has no effect"),
    "guests in superscript": ("inpaint host.cif --guest Li=²", "must be ELEMENT=COUNT"),
    "references within no force": ("references build host.cif --fmax -1", "chggen: --fmax: .* got -1"),
    "hull within no force": ("hull host.cif --fmax nan", "fmax above 0 eV/Å"),
    "exporting from no database": ("export damaged", "no database of candidates"),
    "reporting on an empty database": ("report blank", "expected a results folder"),
    "endless volume": ("generate NaCl --volume inf", "volume: .* finite number"),
    "formula units without number": ("generate NaCl --formula-units 1,b", "--formula-units must be numbers"),
    "zero formula units": ("generate NaCl --formula-units 0", "0 formula units give 0 atoms"),
    "too many formula units": ("predict NaCl --formula-units 1,900", "900 formula units give 1800 atoms"),
    "unknown space group": ("generate NaCl --space-group 300", "chggen: --space-group: .* got '300'"),
    "unknown source": ("predict NaCl --cells-from moon", "chggen: --cells-from: "),
    "one level": ("generate NaCl --levels 1", "chggen: --levels: .* got 1"),
    "unknown anchor": ("inpaint host.cif --guest Li=1 --anchor rope", "anchor: .* got 'rope'"),
    "unknown potential": ("generate NaCl --potential lennard", "unknown potential 'lennard'"),
    "unknown calculator": ("inpaint host.cif --guest Li=1 --potential ase:no.such:Thing", "cannot be made"),
    "no force limit": ("generate NaCl --fmax 0", "fmax: .* got 0"),
    "unknown device": ("generate NaCl --device abacus", "device 'abacus' is not available"),
    "negative workers": ("generate NaCl --workers -1", "chggen: --workers: .* got -1"),
    "missing model": ("generate NaCl --model none.pt", "no score model at none.pt"),
    "model of another format": ("inpaint host.cif --guest Li=1 --model old.pt", "checkpoint format 99, expected 1"),
    "file that is no model": ("predict NaCl --model noise.cif", "not a chggen checkpoint"),
    "missing host": ("inpaint none.cif --guest Li=1", "no structure file at none.cif"),
    "host that is no structure": ("inpaint noise.cif --guest Li=1", "noise.cif holds no structure"),
    "host with overlapping atoms": ("inpaint POSCAR_overlap --guest Li=1", r"lie 0\.\d+ Å apart"),
    "disordered host": ("inpaint disordered.cif --guest Li=1", "partially occupied.* or give --order"),
    "no guests of a kind": ("inpaint host.cif --guest Li=0", "guest count of Li must be a positive integer, got 0"),
    "fewer than no guests": ("inpaint host.cif --guest Li=-2", "got -2"),
    "half a guest": ("inpaint host.cif --guest Li=0.5", "must be ELEMENT=COUNT"),
    "guests without count": ("inpaint host.cif --guest Li", "must be ELEMENT=COUNT"),
    "unknown guest": ("inpaint host.cif --guest Qq=1", "unknown guest 'Qq'; expected an element or a molecule"),
    "too many guests": ("inpaint host.cif --guest Li=1200", "1203 atoms"),
    "unknown symmetry": ("inpaint host.cif --guest Li=1 --symmetry cubic", "--symmetry must be one of none, host"),
    "flat supercell": ("inpaint host.cif --guest Li=1 --supercell 1,0,1", "chggen: --supercell: "),
    "supercell of two numbers": ("inpaint host.cif --guest Li=1 --supercell 1,1", "supercell"),
    "output where a file is": ("generate NaCl -o noise.cif", "cannot write results to noise.cif"),
    "output below a file": ("inpaint host.cif --guest Li=1 -o noise.cif/run", "cannot write results"),
    "relaxing nothing": ("relax empty", "no structure files given"),
    "relaxing a disordered file": (
        "relax disordered.cif", "disordered.cif has partially occupied sites.* `chggen order`, or give --order"
    ),
    "relaxing with no potential": ("relax host.cif --potential lennard", "unknown potential"),
    "refining noise": ("refine noise.cif", "holds no structure"),
    "refining at no tolerance": ("refine host.cif --symprec 0.1,-1", "symprec"),
    "refining into a file": ("refine host.cif -o noise.cif", "cannot write results"),
    "hull of two things": ("hull host.cif --formula NaCl --energy -3", "give one of the two"),
    "hull of nothing": ("hull", "hull takes structures, or --formula with --energy"),
    "hull without energy": ("hull --formula NaCl", "needs both"),
    "hull at no level": ("hull --formula NaCl --energy -3 --level lda", "not at 'lda'; energies of different levels"),
    "hull with another level's potential": (
        "hull host.cif --level pbe --potential chgnet-r2scan", "potential chgnet-r2scan gives energies at level r2scan"
    ),
    "hull with a foreign potential": ("hull host.cif --potential lennard", "are at the level of 'lennard'"),
    "hull without a stranger": ("hull --formula NaCl --energy -3 --without nobody", "no reference entry with id"),
    "references at no level": ("references build host.cif --levels lda", "unknown level 'lda'"),
    "references of no system": ("references show Zn-Qq", "'Zn-Qq' is no chemical system"),
    "references without a level": ("references import entries.json", "need a level of theory; give one with --level"),
    "references of no entries": ("references import noise.cif --level x", "expected a JSON list of pymatgen"),
    "a diagram of one element": ("references show Zn --diagram zn.png", "expected two to four elements"),
    "a diagram of no format": ("references show Zn-S --diagram zns.bmp", "expected a name that ends with .html"),
    "references that are none": ("generate NaCl --references noise.cif", "is not a reference table"),
    "a host and no references": ("inpaint host.cif --guest Li=1 --references no.npz", "no reference table at .*no.npz"),
    "references of an unknown system first": ("references build host.cif --first Xx-Y", "'Xx-Y' is no chemical system"),
    "a limit that is no number": ("references build host.cif --within nan", "expected a limit in eV/atom"),
    "references at CHGNet's level": ("references import noise.cif --level pbe", "level of their own, such as pbe-dft"),
    "hull of no number": ("hull --formula NaCl --energy nan", "--energy must be a number in eV/atom, got nan"),
    "training from nothing": ("train none.toml", "no configuration file at none.toml"),
    "exporting nothing": ("export empty", "expected a results folder"),
    "exporting to the unknown": ("export empty --to abinit", "unknown target 'abinit'"),
    "reporting nothing": ("report empty", "expected a results folder"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(_BAD))
def test_bad_input_is_refused_in_one_sentence_and_leaves_nothing(chggen: Chggen, tmp_path: Path, case: str) -> None:
    _write_host("host.cif")
    _write_host("POSCAR_overlap", Structure(Lattice.cubic(4), ["Al", "Al"], [[0, 0, 0], [0.03, 0, 0]]))
    _write_host("disordered.cif", Structure(Lattice.cubic(4), [{"Al": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    Path("noise.cif").write_text("these are\nno atoms\n")
    Path("empty").mkdir()
    for name, content in (("damaged", "these are no candidates\n" * 100), ("blank", "")):
        Path(name).mkdir()
        Path(name, "candidates.db").write_text(content)
    torch.save({"format": 99}, "old.pt")
    before = sorted(tmp_path.rglob("*"))
    line, message = _BAD[case]
    code, shown, complaint = chggen(*[part.strip("'") for part in line.split()])
    assert code == 2, complaint
    assert complaint.startswith("chggen: ")
    assert complaint.count("\n") == 1
    assert re.search(message, complaint), complaint
    assert shown == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_disordered_host_is_ordered_on_the_way(chggen: Chggen, tmp_path: Path) -> None:
    alloy = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.75), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    _write_host("alloy.cif", alloy)
    line = f"inpaint alloy.cif --guest H=1 -n 1 --order --potential {_EMT} --levels 4 --workers 1 -o run".split()
    code, shown, _ = chggen(*line)
    assert (code, "1 distinct of 1 candidate" in shown) == (0, True)
    assert read_toml(tmp_path / "run" / "config.toml")["order"] is True
    ordered = (tmp_path / "run" / "ordered" / "summary.csv").stat().st_mtime_ns
    assert chggen(*line)[:2] == (code, shown)
    assert (tmp_path / "run" / "ordered" / "summary.csv").stat().st_mtime_ns == ordered
    code, _, complaint = chggen(*(part for part in line if part != "--order"))
    assert (code, complaint.count("\n")) == (2, 1)
    assert complaint.endswith("order it first with `chggen order`, or give --order\n")


def test_a_folder_in_use_is_refused(chggen: Chggen, tmp_path: Path) -> None:
    with Store(tmp_path / "run", {}):
        code, _, complaint = chggen("generate", "NaCl", "-o", "run", "--no-relax")
    assert (code, complaint.count("\n")) == (2, 1)
    assert complaint.startswith("chggen: run is in use by another run")


def test_usage_errors_are_typers_own(chggen: Chggen) -> None:
    for line in (["generate"], ["generate", "NaCl", "-n", "x"], ["inpaint", "host.cif"], ["dance"]):
        assert chggen(*line)[0] == 2


@pytest.fixture
def references(monkeypatch: pytest.MonkeyPatch) -> None:
    table = References.from_entries(
        ReferenceEntry(id=name, formula=formula, level="pbe", energy_per_atom=energy, space_group=group)
        for name, formula, energy, group in (
            ("zinc", "Zn", -1.0, 194), ("sulfur", "S8", -4.0, 70), ("blende", "ZnS", -3.5, 216),
        )
    )  # fmt: skip
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: table))


@pytest.mark.usefixtures("references")
def test_the_line_of_hull(chggen: Chggen) -> None:
    tail = "eV/atom (pbe; errs by about 0.03, high ones are too low),"
    far = "E_d below -0.05 eV/atom (phase missing, or energy not per atom at level pbe?)"
    remedy = "add phases by `chggen references fetch S-Zn`, then `chggen references build`"
    for arguments, line in (
        ("ZnS --energy -3.4", f"ZnS: E -3.4000 eV/atom, E_d +0.1000 eV/atom, E_hull 0.1000 {tail} on the hull: ZnS"),
        (
            "Zn2S2 --energy -3.6",
            "Zn2S2: E -3.6000 eV/atom, E_d -0.1000 eV/atom, "
            f"E_hull 0.0000 {tail} on the hull: ZnS; doubtful: {far}; {remedy}",
        ),
        (
            "ZnS --energy -3 --without blende",
            "ZnS: E -3.0000 eV/atom, E_d -0.5000 eV/atom, "
            f"E_hull 0.0000 {tail} products ZnS -> S + Zn (formula units); doubtful: {far}; "
            f"product S, Zn: an element; {remedy}",
        ),
        (
            "ZnO --energy -3",
            "ZnO: E -3.0000 eV/atom, no decomposition energy (no pbe reference energy for the element O)",
        ),
    ):  # fmt: skip
        assert chggen("hull", "--formula", *arguments.split()) == (0, line + "\n", "")
    chggen("hull", "--formula", "ZnS", "--energy", "-3.4", "-o", "placed")
    assert Path("placed/hull.txt").read_text().startswith("ZnS: E -3.4000 eV/atom, E_d +0.1000")


@pytest.mark.usefixtures("references")
def test_the_lines_of_references_show(chggen: Chggen) -> None:
    code, shown, _ = chggen("references", "show", "Zn-S")
    assert code == 0
    assert shown.splitlines() == [
        "sulfur         S8                  -4.0000 eV/atom  E_hull 0.0000  space group  70  relaxed",
        "zinc           Zn                  -1.0000 eV/atom  E_hull 0.0000  space group 194  relaxed",
        "blende         ZnS                 -3.5000 eV/atom  E_hull 0.0000  space group 216  relaxed",
    ]
    assert chggen("references", "show", "Zn-S", "--level", "r2scan")[1] == "no r2scan reference energies for Zn-S\n"


def test_generating_end_to_end(tmp_path: Path) -> None:
    """A process of its own, as users start it; the folder holds all that the contract says."""
    line = "generate NaCl -n 2 --no-relax --levels 4 --workers 1 --volume 30 -o run"
    script = Path(sys.executable).with_name("chggen")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([script, *line.split()], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "2 good of 2 candidates, not compared for duplicates" in done.stdout
    assert "NaCl-z1-0000" in done.stdout
    assert "results in run" in done.stdout
    assert "Traceback" not in done.stderr
    folder = tmp_path / "run"
    names = {p.name for p in folder.iterdir()} - {".lock"}
    assert names == {
        "candidates.db",
        "summary.csv",
        "structures",
        "config.toml",
        "log.txt",
        "report.html",
        "runs.jsonl",
    }
    assert read_toml(folder / "config.toml")["chggen_version"] == __version__
    first, second = (Structure.from_file(folder / "structures" / f"NaCl-z1-000{k}-P1.cif") for k in (0, 1))
    assert first.volume / len(first) == pytest.approx(30, abs=1e-3)
    assert first.lattice != second.lattice
    assert "NaCl-z1-0001 ok" in (folder / "log.txt").read_text()


@pytest.fixture
def small_run(chggen: Chggen) -> str:
    """A finished relaxed run in the working folder."""
    line = f"generate Cu -n 2 --levels 6 --workers 1 --potential {_EMT} -o run"
    code, _, complaint = chggen(*line.split())
    assert code == 0, complaint
    return line


def test_what_is_missing_is_said_at_the_end(chggen: Chggen, small_run: str) -> None:
    _, shown, _ = chggen(*small_run.split())
    assert f"no decomposition energies: there are no reference energies of all elements at level {_EMT}" in shown
    code, shown, _ = chggen(*f"generate NaCl -n 1 --levels 4 --workers 1 --potential {_EMT} -o salt".split())
    assert code == 0
    assert "nothing good was made; 1 of 1 failed at " in shown


def test_a_second_call_resumes_and_other_options_are_refused(chggen: Chggen, small_run: str) -> None:
    before = Path("run/summary.csv").read_text()
    code, shown, _ = chggen(*small_run.split())
    assert code == 0
    assert "of 2 candidates" in shown
    assert Path("run/summary.csv").read_text() == before
    for change, named in (
        ("--seed 5", "--seed 0, now 5;"),
        ("--fmax 0.3 --levels 7", "--fmax 0.1, now 0.3; --levels 6, now 7;"),
    ):
        code, _, complaint = chggen(*small_run.split(), *change.split())
        assert code == 2
        assert complaint.startswith("chggen: run was made with")
        assert named in complaint
    assert chggen(*small_run.split(), "--workers", "0")[0] == 0  # the machine is no part of a run
    assert Path("run/summary.csv").read_text() == before


@pytest.mark.usefixtures("small_run")
def test_export_and_report_of_a_folder(chggen: Chggen) -> None:
    for target in ("cif", "extxyz", "vasp"):
        code, shown, complaint = chggen("export", "run", "--to", target)
        assert code == 0, complaint
        assert f"structures in run/export/{target}" in shown
    good = [c for c in read_candidates(Path("run")) if c.status == "ok" and c.duplicate_of is None]
    assert good
    best = good[0]
    assert best.structure is not None
    frames = read("run/export/extxyz/candidates.extxyz", index=":")
    ranked = sorted(good, key=rank)
    assert [f.info["id"] for f in frames] == [c.id for c in ranked]
    assert [f.info["energy_per_atom"] for f in frames] == pytest.approx([c.energy_per_atom for c in ranked])
    for path in (f"run/export/cif/{best.id}-P1.cif", f"run/export/vasp/{best.id}/1-pbesol/POSCAR"):
        assert Structure.from_file(path).volume == pytest.approx(best.structure.volume, rel=1e-3)
    ran = Path(f"run/export/vasp/{best.id}/1-pbesol/OUTCAR")
    ran.write_text("a calculation")
    assert chggen("export", "run", "--to", "vasp")[0] == 0  # again, as after a kill
    assert ran.read_text() == "a calculation"
    options = {k: v for k, v in read_toml(Path("run/config.toml")).items() if not k.startswith("chggen_")}
    with Store(Path("run"), options) as store:
        store.put([failed(replace(best, id="worse"), "relax", "not good any more")])
    for name in ("worse", "notes"):
        Path(f"run/export/cif/{name}.cif").write_text("here before")
    assert chggen("export", "run", "--to", "cif")[0] == 0
    assert {p.name for p in Path("run/export/cif").iterdir()} == {
        "notes.cif", *(f"{c.id}{end}.cif" for c in good for end in ("", "-P1"))
    }  # fmt: skip
    code, _, complaint = chggen("export", "run", "--to", "cif", "--max-e-d", "0.03")
    assert code == 2
    assert "no candidate has an E_d; leave --max-e-d out" in complaint
    assert chggen("report", "run", "-o", "page")[0] == 0
    assert best.id in Path("page/report.html").read_text()


def test_a_run_knows_its_references_by_their_content(chggen: Chggen) -> None:
    own = {"Cu": -3.5, "Au": -3.0}

    def written(shift: float) -> None:
        rows = [ReferenceEntry(id=s, formula=s, level="pbe", energy_per_atom=e + shift) for s, e in own.items()]
        write_references(rows, "own.npz")

    written(0.0)
    line = ["generate", "CuAu", "-n", "1", "--levels", "4", "--no-relax", "--workers", "1", "-o", "run"]
    line += ["--references", "own.npz"]
    assert chggen(*line)[0] == 0
    assert chggen(*line)[0] == 0
    code, _, complaint = chggen("report", "run", "--diagram", "d.png")
    assert (code, complaint) == (0, "")
    assert Path("d.png").stat().st_size > 1000
    written(0.1)
    code, _, complaint = chggen(*line)
    assert code == 2
    assert "run was made with other content of --references" in complaint


def test_inpainting_a_file_with_several_guests(chggen: Chggen) -> None:
    _write_host("POSCAR")
    line = "inpaint POSCAR --guest Al=1 --guest Cu=1 -n 1 --levels 4 --n-resample 1 --no-relax --workers 1"
    code, shown, complaint = chggen(*line.split())
    assert code == 0, complaint
    assert "results in runs/POSCAR" in shown
    made = Structure.from_file("runs/POSCAR/structures/Al4Cu-i0000-P1.cif")
    assert made.composition.as_dict() == {"Al": 4, "Cu": 1}


def test_a_model_of_ones_own_is_used(chggen: Chggen) -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {"features": 8, "layers": 1, "cutoff": 4, "n_basis": 4, "n_radial": 2}
    save_checkpoint(Path("own.pt"), "painn", build_score_model("painn", options), {})
    line = "generate NaCl -n 1 --no-relax --levels 4 --workers 1"
    assert chggen(*line.split(), "-o", "own", "--model", "own.pt")[0] == 0
    assert chggen(*line.split(), "-o", "shipped")[0] == 0
    own, shipped = (Path(f"{name}/structures/NaCl-z1-0000-P1.cif").read_text() for name in ("own", "shipped"))
    assert own != shipped
    assert "own.pt" in Path("own/config.toml").read_text()
