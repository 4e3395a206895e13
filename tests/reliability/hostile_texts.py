"""Hostile texts: modules named in JSON, code in CIF files, files of no format, of odd kinds and of odd names."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.reliability.hostile_tensors import ran
from tests.reliability.trials import Bench, Trial

_REFUSED: Final = ("refused", "usage")
_ENDED: Final = ("refused", "done")


def json_modules(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give JSON that names a module which leaves a mark when it is imported, wherever JSON is read."""
    from pymatgen.core import Structure

    mark = bench.work / "ran"
    (bench.work / "modules").mkdir()
    (bench.work / "modules" / "harmful_module.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Harm: pass\n")
    sys.path.insert(0, str(bench.work / "modules"))
    table = Structure.from_file(inputs / "li2o.cif").as_dict()
    path, check = bench.box / "given.json", ran(mark)
    entries = ["references", "import", str(path), "--level", "dft", "-o", str(bench.out)]
    for kind in ("@class", "@callable"):
        harm: dict[str, Any] = {"@module": "harmful_module", kind: "Harm"}
        for name, content in {"a list": [harm], "alone": harm, "in a table": {"a": {"b": [harm]}}}.items():
            path.write_text(json.dumps(content))
            yield bench.call(entries, f"references import, {kind} {name}", expected=_REFUSED, check=check)
        for where in ("site property", "structure property", "lattice", "species"):
            given = json.loads(json.dumps(table))
            site = given["sites"][0]
            changed, key = {
                "site property": (site, "properties"), "structure property": (given, "properties"),
                "lattice": (given, "lattice"), "species": (site["species"][0], "oxidation_state"),
            }[where]  # fmt: skip
            changed[key] = {"x": harm} if key == "properties" else harm
            path.write_text(json.dumps(given))
            for command in ("refine", "relax"):
                arguments = [command, str(path), "-o", str(bench.out)]
                expected = ("refused", "done", "accepted")
                yield bench.call(arguments, f"{command}, {kind} in {where}", expected=expected, check=check)
    for ending, content in {
        "yaml": f"!!python/object/apply:os.system ['touch {mark}']\n", "mpk": "\x81\xa1x\x01", "json.gz": "x",
        "nested.json": "[" * 100_000, "nan.json": '{"a": NaN}', "digits.json": "[" + "9" * 100_000 + "]",
    }.items():  # fmt: skip
        odd = bench.box / f"entries.{ending}"
        odd.write_bytes(content.encode("latin-1"))
        arguments = ["references", "import", str(odd), "--level", "dft", "-o", str(bench.out)]
        yield bench.call(arguments, f"references import of .{ending}", expected=_REFUSED, check=check)


def code_in_structures(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give structure files with code where parsers once evaluated it (CVE-2024-23346)."""
    mark = bench.work / "ran"
    cell = "".join(f"_cell_length_{x} 4\n" for x in "abc") + "".join(
        f"_cell_angle_{x} 90\n" for x in ("alpha", "beta", "gamma")
    )
    atoms = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nLi 0 0 0\n"
    imported = (
        "[d for d in ().__class__.__mro__[1].__getattribute__ ( *[().__class__.__mro__[1]]+"
        '["__sub" + "classes__"]) () if d.__name__ == "BuiltinImporter"][0].load_module ("os")'
        f'.system ("touch {mark}")'
    )
    magnetic = (
        f"_space_group_magn.transform_BNS_Pp_abc  'a,b,{imported};0,0,0'\n"
        "_space_group_magn.number_BNS  62.448\n_space_group_magn.name_BNS  \"P  n'  m  a'  \"\n"
    )
    operation = f"loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'__import__(\"os\").system(\"touch {mark}\"),y,z'\n"
    frame = 'Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3 pbc="T T T"'
    given = {
        "magnetic.cif": f"data_x\n{cell}_symmetry_space_group_name_H-M 'P 1'\n{atoms}{magnetic}",
        "magnetic.mcif": f"data_x\n{cell}{atoms}{magnetic}",
        "operation.cif": f"data_x\n{cell}{atoms}{operation}",
        "info.extxyz": f"1\n{frame} info=\"__import__('os').system('touch {mark}')\"\nLi 0 0 0\n",
    }
    for name, text in given.items():
        path = bench.box / name
        path.write_text(text)
        yield bench.call(
            ["refine", str(path), "-o", str(bench.out)], f"code in {name}", expected=_ENDED, check=ran(mark)
        )


def odd_files(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give files of no format, of huge claims, and things that are no files, to all that reads structures."""
    folder = bench.work / "odd"
    folder.mkdir()
    _write_odd_files(folder, (inputs / "li2o.cif").read_text(), 5 if short else 50)
    where = ["-o", str(bench.out)]
    for number, path in enumerate(sorted(folder.iterdir())):
        if short and number % 8:
            continue
        yield bench.call(["refine", str(path), *where], f"refine {path.name}", expected=_REFUSED)
        if path.suffix in (".cif", ".json"):
            arguments = ["inpaint", str(path), "--guest", "Li=1", "-n", "1", *where]
            yield bench.call(arguments, f"inpaint {path.name}", expected=_REFUSED)
            arguments = ["generate", "NaCl", "-n", "1", "--cells-from", f"file:{path}", *where]
            expected = (*_REFUSED, "accepted")  # where a structure that cannot be read becomes a failed row
            yield bench.call(arguments, f"--cells-from file:{path.name}", expected=expected)
    (bench.work / "none").mkdir()
    for name, arguments in {
        "relax of all of these": ["relax", str(folder), *where],
        "relax of an empty folder": ["relax", str(bench.work / "none"), *where],
        "relax of what is not there": ["relax", str(bench.work / "nothing"), *where],
        "train on a folder": ["train", str(folder)],
        "train on a pipe": ["train", str(folder / "fifo.cif")],
        "report of a file": ["report", str(folder / "secret.cif")],
        "export of nothing": ["export", str(bench.work / "nothing")],
    }.items():
        yield bench.call(arguments, name, expected=_REFUSED)


def _write_odd_files(folder: Path, cif: str, mebibytes: int) -> None:
    for ending in (".cif", ".vasp", ".extxyz", ".json", "", ".xsf", ".cssr", ".yaml", ".mcif", ".txt", ".xml", ".prz"):
        (folder / f"empty{ending}").write_bytes(b"")
        (folder / f"binary{ending}").write_bytes(random.Random(1).randbytes(4000))
        (folder / f"zeros{ending}").write_bytes(b"\0" * 4000)
        (folder / f"nested{ending}").write_text("[" * 200_000)
        (folder / f"objects{ending}").write_text('{"a":' * 100_000)
        (folder / f"latin{ending}").write_bytes("data_é\n".encode("latin-1"))
    for ending in (".cif", ".vasp", ".extxyz", ".json"):
        (folder / f"big{ending}").write_bytes(random.Random(2).randbytes(2**20) * mebibytes)
        (folder / f"line{ending}").write_text("a " * (mebibytes << 19))
    frame = 'Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:'
    (folder / "claims.vasp").write_text("x\n1\n4 0 0\n0 4 0\n0 0 4\nLi\n1000000000\nDirect\n0 0 0\n")
    (folder / "claims.extxyz").write_text(f"1000000000\n{frame}3\nLi 0 0 0\n")
    (folder / "negative.extxyz").write_text(f"-1\n{frame}3\nLi 0 0 0\n")
    (folder / "wide.extxyz").write_text(f"1\n{frame}1000000000\nLi 0 0 0\n")
    (folder / "far.vasp").write_text("x\n1\n4 0 0\n0 4 0\n0 0 4\nLi\n1\nDirect\n0 0 1e308\n")
    (folder / "long.vasp").write_text("x\n1\n4 0 0\n0 4 99999999999\n0 0 4\nLi\n1\nDirect\n0 0 0\n")
    (folder / "list.json").write_text("[]")
    (folder / "number.json").write_text("1")
    (folder / "digits.json").write_text('{"lattice": ' + "9" * 100_000 + "}")
    with gzip.open(folder / "bomb.cif.gz", "wb", compresslevel=1) as file:
        for _ in range(30 * mebibytes):
            file.write(bytes(2**20))
    (folder / "loop.cif").symlink_to(folder / "loop.cif")
    (folder / "dangling.cif").symlink_to(folder / "nothing.cif")
    (folder / "device.cif").symlink_to("/dev/zero")
    (folder / "secret.cif").symlink_to("/etc/passwd")
    (folder / "folder.cif").mkdir()
    os.mkfifo(folder / "fifo.cif")
    (folder / "tiny.cif").write_text(cif.replace("_cell_length_a   3", "_cell_length_a   0.0000003"))
    here = Path.cwd()
    os.chdir(folder)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.cif")
    os.chdir(here)


_NAMES: Final = (
    "a b.cif", "=cmd|' !A0.cif", "<img src=x onerror=alert(1)>.cif", "True.cif", "1.cif", "nan.cif", "1e5.cif",
    "ü日本.cif", "x\ny.cif", "-rf.cif", "a@1.extxyz", "a@0:1.extxyz", "*.cif", "[ab].cif", "%s%n.cif", "a.b.c.cif",
    "n" * 200 + ".cif", "n" * 240 + ".cif", "n" * 251 + ".cif", "é" * 120 + ".cif", "\u202egnp.cif", "...cif",
    ". .cif", "x\ty.cif", "a'b\"c.cif", "$(touch x).cif", "x;y.cif", "id 1.cif", "x-P1.cif", "#.cif",
    "q\\..\\..\\w.cif", "~.cif", "con.cif", "a,b.cif", " .cif", "x .cif", "bad\udcff\udcfe.cif",
)  # fmt: skip


def names(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give good structures in files of odd names, one of which is no UTF-8."""
    from pymatgen.core import Structure

    from chggen.io import write_extxyz

    folder, cif = bench.work / "named", (inputs / "li2o.cif").read_text()
    for name in _NAMES[:: 6 if short else 1]:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = folder / name
        path.write_text(cif)
        if name.endswith("xyz"):
            write_extxyz([Structure.from_str(cif, fmt="cif")], folder / "t.extxyz")
            (folder / "t.extxyz").replace(path)
        for command, expected in (("refine", ("done", "refused")), ("relax", ("accepted", "refused"))):
            arguments = [command, "-o", str(bench.out), "--", str(path)]
            yield bench.call(arguments, f"{command} {name[:40]!r} ({len(name)})", expected=expected)


def destinations(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give results folders and figures that cannot be made."""
    file, oxide = bench.work / "file", str(inputs / "li2o.cif")
    file.write_text("x")
    impossible = [str(file), str(file / "below"), "/proc/x/y", "/dev/null", "/dev/null/x", "x" * 300, "a/" * 3000]
    for out in [*impossible, "/sys/kernel/x"]:
        for arguments in (["generate", "NaCl", "-n", "1", "--no-relax"], ["refine", oxide], ["relax", oxide]):
            yield bench.call([*arguments, "-o", out], f"{arguments[0]} -o {out[:30]!r}", expected=_REFUSED)
    for name in (".lock", "log.txt", "config.toml", "candidates.db"):
        shutil.rmtree(bench.out, ignore_errors=True)
        (bench.out / name).mkdir(parents=True)
        arguments = ["generate", "NaCl", "-n", "1", "--no-relax", "-o", str(bench.out)]
        yield bench.call(arguments, f"generate where {name} is a folder", expected=_REFUSED, fresh=False)
    for figure in ("x", "x.PNG", "/proc/x.png", str(file / "x.svg"), str(bench.work / "tmp")):
        arguments = ["references", "show", "Li-O", "--diagram", figure]
        expected = ("refused", "usage", "done") if figure == "x.PNG" else _REFUSED
        yield bench.call(arguments, f"references show --diagram {figure[:30]}", expected=expected)
        (bench.box / "x.PNG").unlink(missing_ok=True)
