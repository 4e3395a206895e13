"""Seeded fuzzing of what is typed: formulas, guests and options. A trial follows from seed, kind and number alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ODD: Final = (
    "", " ", "-1", "0", "1", "2", "1e308", "1e999", "nan", "inf", "-inf", "NaN", "10000000000000000000000000", "0x10",
    "1_000", "٣", "²", "1.5", "true", "None", "null", "a" * 5000, "\x07", "🧪", "é", "../../x", "/etc/passwd", "=1+1",
    "<script>", "1,2", "1,,2", ",", "1;2", "'; DROP TABLE systems;--", "{}", "[]", "-0", "+1", "1 ", " 1", "1e-300",
    "5e-324", "-5", "99999", "auto", "none", "\udcff", "9" * 5000,
)  # fmt: skip
_FORMULAS: Final = (
    "NaCl", "Li2O", "ZnP2S6", "Ca(OH)2", "LiFePO4", "Li7La3Zr2O12", "H2O", "Fe", "[Co(NH3)6]Cl3", "Zn2P4S12",
)  # fmt: skip
_LETTERS: Final = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789()[]{}.,-+*/=<>'\"\\ \t\n·₂²٣０Ａ½Ⅷ℃ﬁ\u200b\u202e"
    "\udcff\x1b;|&$`%#@!~^_:é日"
)
_COUNTS: Final = (0, 1, 10, 499, 501, 9999, 10001, 10**12, 10**30)
_GUESTS: Final = ("Li=2", "Li=1", "Na=3", "O=1", "H=4", "D=4", "Li")
_SUPERCELLS: Final = ("1,1,2", "2,2,2", "9,9,9", "1,1", "1,1,1,1", "-1,1,1", "1000000000,1,1")

_SAMPLING: Final = (
    "--model", "--quality", "--levels", "--best-of", "--judge", "--potential", "--fmax", "--references", "--seed",
    "--device", "--workers", "--time-limit",
)  # fmt: skip
_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "predict": (
        "--guest", "-n", "--system", "--between", "--formula-units", "--max-atoms", "--volume", "--cells-from",
        "--per-framework", "--symmetry", "--second-level-below", "--anchor", "--n-resample", "--jump-length",
        *_SAMPLING,
    ),
    "generate": ("-n", "--formula-units", "--max-atoms", "--volume", "--cells-from", "--space-group", *_SAMPLING),
    "inpaint": (
        "-n", "--anchor", "--symmetry", "--guests-from", "--supercell", "--n-resample", "--jump-length", *_SAMPLING,
    ),
    "relax": (
        "--pressure", "--potential", "--fmax", "--max-steps", "--fix-symmetry", "--optimizer", "--device", "--workers",
        "--time-limit",
    ),
    "refine": ("--symprec",),
    "hull": ("--energy", "--level", "--without", "--potential", "--fmax", "--references"),
    "references show": ("--level", "--references", "--diagram"),
    "references build": ("--levels", "--within", "--first", "--sample", "--fmax", "--device", "--workers"),
}  # fmt: skip
_LIKELY: Final[dict[str, tuple[str, ...]]] = {
    "--cells-from": (
        "auto", "prototype", "learned", "bravais", "space-group", "learned,bravais", "auto,learned", "file:", "file:.",
    ),
    "--guests-from": ("auto", "orbits", "anywhere", "sites"),
    "--space-group": ("225", "0", "231", "auto", "none", "1", "-1", "225.0"),
    "--symmetry": ("host", "none", "mixed"),
    "--potential": (
        "chgnet", "chgnet-r2scan", "ase:ase.calculators.emt:EMT", "ase:", "ase:a:b", "torch-sim:x:y", "ase:sys:exit",
        "ase:os:getcwd", "ase:builtins:dict", "ase:this:x", "ase:.:x", "ase::", "ase:_thread:exit",
    ),
    "--model": ("sys:exit", "os:getcwd", ":x", "x:", "builtins:dict", ".", "/", "/dev/null", "/dev/zero"),
    "--device": ("cpu", "cuda", "cuda:9", "mps", "meta"),
    "--workers": ("0", "1", "100000", "-1"),
    "-n": ("1", "3", "1000000", "0"),
    "--seed": ("0", "-1", "18446744073709551616", "1e3"),
    "--levels": ("1", "2", "100000000"),
    "--max-atoms": ("20", "1", "100000000"),
    "--formula-units": ("1,2", "250", "251", "0"),
    "--diagram": ("OUT/x.png", "OUT/x.html", "OUT/x", "OUT/.png", "OUT", "/proc/x.png"),
}  # fmt: skip


def mutated(rng: random.Random, text: str) -> str:
    """Return a text with some letters, numbers or brackets changed.

    Args:
        rng: Random numbers.
        text: A text that would be understood.

    Returns:
        Most often one that is not.
    """
    for _ in range(rng.randint(1, 4)):
        at, kind = rng.randint(0, len(text)), rng.random()
        if kind < 0.35:
            text = text[:at] + rng.choice(_LETTERS) + text[at:]
        elif kind < 0.55:
            text = text[:at] + text[at + 1 :]
        elif kind < 0.7:
            text = text[:at] + str(rng.choice(_COUNTS)) + text[at:]
        elif kind < 0.8:
            text = text * rng.choice([2, 3, 50])
        elif kind < 0.9:
            text = "(" * rng.choice([1, 3, 2000]) + text + ")" * rng.choice([1, 3, 2000])
        else:
            text = rng.choice(ODD)
    return text[:100_000].replace("\0", "")  # what the system takes as an argument


def formula_command(rng: random.Random, number: int, inputs: Path, out: Path) -> list[str]:
    """Return a command with an odd formula or system.

    Args:
        rng: Random numbers of the trial.
        number: Its number, by which the commands take turns.
        inputs: Folder of `make_inputs`.
        out: The results folder.

    Returns:
        The arguments.
    """
    formula = mutated(rng, rng.choice(_FORMULAS))
    few = ["-n", "1", "-o", str(out)]
    turns: dict[int, Sequence[str]] = {
        0: ["generate", *few, "--no-relax", "--", formula],
        1: ["predict", *few, "--", formula],
        2: ["predict", *few, "--system", formula],
        3: ["references", "show", "--", formula],
        4: ["predict", *few, "--system", "Li-P-S", "--between", formula + "," + rng.choice(_FORMULAS)],
    }
    energy = rng.choice(["-3", "0", "1e308", "nan", "inf"])
    return list(turns.get(number % 10, ["hull", "--formula", formula, "--energy", energy]))


def guest_command(rng: random.Random, number: int, inputs: Path, out: Path) -> list[str]:
    """Return a command with odd guests; arguments as of `formula_command`."""
    given = [
        mutated(rng, rng.choice(_GUESTS)) if rng.random() < 0.8 else rng.choice(_GUESTS)
        for _ in range(rng.randint(1, 3))
    ]
    if number % 6 == 0:
        return ["predict", "NaCl", "-n", "1", "-o", str(out), "--guest", given[0]]
    arguments = ["inpaint", str(inputs / "host.cif"), "-n", "1", "-o", str(out)]
    for guest in given:
        arguments += ["--guest", guest]
    if rng.random() < 0.3:
        arguments += ["--supercell", rng.choice([*ODD, *_SUPERCELLS])]
    return arguments


def option_command(rng: random.Random, number: int, inputs: Path, out: Path) -> list[str]:
    """Return a command with one to three odd options; arguments as of `formula_command`."""
    command = rng.choice(list(_OPTIONS))
    oxide, host = str(inputs / "li2o.cif"), str(inputs / "host.cif")
    subject = {
        "predict": ["NaCl"],
        "generate": ["NaCl", *(["--no-relax"] if rng.random() < 0.5 else [])],
        "inpaint": [host, "--guest", "Li=2"],
        "relax": [oxide],
        "refine": [oxide],
        "hull": ["--formula", "Li2O", "--energy", "-4"],
        "references show": ["Li-O"],
        "references build": [oxide],
    }[command]
    where = [] if command in ("hull", "references show") else ["-o", str(out)]
    arguments = [*command.split(), *subject, *where]
    for option in rng.sample(_OPTIONS[command], min(rng.choice([1, 1, 1, 2, 3]), len(_OPTIONS[command]))):
        likely = option in _LIKELY and rng.random() < 0.5
        value = rng.choice(_LIKELY[option]) if likely else rng.choice(ODD)
        arguments += [option, value.replace("OUT", str(out))]
    return arguments
