"""VASP inputs of the survivors: a PBEsol pre-relaxation and an r²SCAN relaxation, as the Materials Project does."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from pymatgen.core import SETTINGS, Element
from pymatgen.core.structure import Structure
from pymatgen.io.vasp.sets import BadInputSetWarning, MP24RelaxSet, MPScanRelaxSet

from chggen.errors import InputError
from chggen.io import HELD, MOMENTS, write_text
from chggen.results.input_sets import DEFAULT_SET, FIRST, SECOND, InputSet, input_set

_README: Final = """\
Inputs of {set}, as pymatgen's {generator} makes them.
1. Run VASP in 1-pbesol (PBEsol pre-relaxation).
2. Copy 1-pbesol/CONTCAR to 2-r2scan/POSCAR and 1-pbesol/WAVECAR to 2-r2scan, run VASP there (r2SCAN relaxation).
POTCAR.spec names the pseudopotentials in the order of POSCAR (functional {functional}).
{moments}k-points and smearing are those of a metal; for a known band gap see KSPACING in pymatgen's {generator}.
`chggen import-dft` reads the results back.
"""
_MOMENTS: Final = """\
MAGMOM holds the sizes of the potential's magnetic moments, all parallel; turn some to try an antiferromagnetic order.
"""
_SIGNED: Final = """\
MAGMOM holds the sizes of the magnetic moments with the signs that the structure was given with.
"""


def write_vasp(
    structure: Structure, folder: Path | str, moments: Sequence[float] | None = None, inputs: str = DEFAULT_SET
) -> Path:
    """Write the VASP inputs of both steps. The folder appears whole or not at all.

    POTCAR files are written where pymatgen finds pseudopotentials (PMG_VASP_PSP_DIR), POTCAR.spec otherwise. Each
    step's POSCAR holds the given structure, sites grouped by species, with its selective dynamics where it has any.

    Args:
        structure: An ordered structure. Where it has magnetic moments itself (site property `magmom`), MAGMOM takes
            their signs, so that an antiferromagnetic order survives; of vectors that of the projection on their
            common axis.
        folder: The folder to make, one that is empty or does not exist.
        moments: Sizes of the magnetic moments of the sites, μ_B, which become MAGMOM, rounded to 0.1 μ_B and in the
            order of POSCAR. None stands for the sizes that the structure has; without those, pymatgen chooses.
        inputs: Name of the set of inputs: `mp-scan` (pymatgen's MPScanRelaxSet) or `mp24` (MP24RelaxSet).

    Returns:
        The path of the folder.

    Raises:
        InputError: The structure is empty or has partially occupied sites, an element has no pseudopotential, or the
            folder holds files already (calculations may have run in it).
    """
    target, chosen = Path(folder), input_set(inputs)
    _check(structure)
    plain = _plain(structure, moments)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} exists already and is not an empty folder; choose another or move it away")
    target.parent.mkdir(parents=True, exist_ok=True)
    workplace = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        for step in chosen.steps:
            _write_step(plain, workplace / step, chosen)
        functional = vars(chosen.generator)["CONFIG"]["POTCAR_FUNCTIONAL"]
        about = "" if MOMENTS not in plain.site_properties else _MOMENTS if _given(structure) is None else _SIGNED
        readme = _README.format(set=inputs, generator=chosen.generator.__name__, functional=functional, moments=about)
        (workplace / "README").write_text(readme, encoding="utf-8")
        workplace.chmod(0o755)  # mkdtemp makes it private
        os.replace(workplace, target)
    except BaseException:
        shutil.rmtree(workplace, ignore_errors=True)
        raise
    return target


def relaxation_flow(
    structure: Structure, name: str, moments: Sequence[float] | None = None, inputs: str = DEFAULT_SET
) -> Any:
    """Return both steps as a flow of atomate2 jobs, with the INCAR settings of `write_vasp`.

    The name stands in the metadata of its jobs as `candidate`, by which `chggen import-dft` knows the results.

    Args:
        structure: An ordered structure.
        name: Name of the flow.
        moments: As for `write_vasp`.
        inputs: As for `write_vasp`.

    Returns:
        A jobflow Flow. It needs the extra chggen[dft].

    Raises:
        InputError: The extra is not installed, or `write_vasp` refuses the structure.
    """
    check_inputs([structure], flows=True)
    from atomate2.vasp.flows.core import DoubleRelaxMaker
    from atomate2.vasp.jobs.mp import MP24PreRelaxMaker, MP24RelaxMaker, MPMetaGGARelaxMaker, MPPreRelaxMaker

    chosen = input_set(inputs)
    newer = chosen.generator is MP24RelaxSet
    first, second = (MP24PreRelaxMaker, MP24RelaxMaker) if newer else (MPPreRelaxMaker, MPMetaGGARelaxMaker)
    steps = DoubleRelaxMaker(
        name=name,
        relax_maker1=first(input_set_generator=chosen.inputs(FIRST)),
        relax_maker2=second(
            input_set_generator=chosen.inputs(SECOND), copy_vasp_kwargs={"additional_vasp_files": ("WAVECAR",)}
        ),
    )
    flow = steps.make(_plain(structure, moments))
    flow.update_metadata({"candidate": name})
    return flow


def write_flow(
    structure: Structure, path: Path, moments: Sequence[float] | None = None, inputs: str = DEFAULT_SET
) -> Path:
    """Write the flow of a structure as JSON, which `jobflow.Flow.from_dict` reads.

    Args:
        structure: An ordered structure.
        path: The file to write. Its name without the ending is the name of the flow.
        moments: As for `write_vasp`.
        inputs: As for `write_vasp`.

    Returns:
        The same path.

    Raises:
        InputError: As for `relaxation_flow`.
    """
    from monty.json import jsanitize

    flow = relaxation_flow(structure, path.name.removesuffix(".json"), moments, inputs)
    write_text(path, json.dumps(jsanitize(flow.as_dict(), strict=True)))
    return path


def check_inputs(structures: Iterable[Structure], flows: bool = False, inputs: str | None = None) -> None:
    """Check that inputs of structures can be written, before anything is.

    Args:
        structures: The structures.
        flows: Whether flows of atomate2 are to be written.
        inputs: As for `write_vasp`.

    Raises:
        InputError: The extra chggen[dft] is not installed, which flows need, the set of inputs is unknown, or
            `write_vasp` refuses a structure.
    """
    input_set(inputs or DEFAULT_SET)
    if flows:
        try:
            import atomate2.vasp.flows.core
            import atomate2.vasp.jobs.mp  # noqa: F401
        except ImportError:
            raise InputError("flows need atomate2; install chggen[dft], or write inputs with --to vasp") from None
    for structure in structures:
        _check(structure)


def _check(structure: Structure) -> None:
    """Refuse a structure that has no VASP inputs, with an InputError."""
    if not len(structure) or not structure.is_ordered:
        raise InputError(f"{structure.composition.formula or 'the structure'} is empty or disordered; order it first")
    unavailable = sorted(
        {Element.from_Z(site.specie.Z).symbol for site in structure} - set(MPScanRelaxSet.CONFIG["POTCAR"])
    )
    if unavailable:
        raise InputError(f"no VASP pseudopotential is assigned to {', '.join(unavailable)}")


def _plain(structure: Structure, moments: Sequence[float] | None) -> Structure:
    """Return a structure of elements inside its cell, with moments and selective dynamics alone on its sites."""
    elements = [Element.from_Z(site.specie.Z) for site in structure]  # isotopes are no species of VASP
    properties: dict[str, list[Any]] = {}
    signed = _signed(_given(structure), moments)
    if signed is not None:
        properties[MOMENTS] = [round(moment, 1) + 0.0 for moment in signed]
    if (free := structure.site_properties.get(HELD)) is not None:
        properties[HELD] = [[True] * 3 if row is None else list(map(bool, row)) for row in free]
    inside = structure.frac_coords % 1.0
    inside[inside == 1.0] = 0.0  # of something just below 0
    return Structure(structure.lattice, elements, inside, site_properties=properties)


def _signed(given: Float[np.ndarray, "atoms"] | None, sizes: Sequence[float] | None) -> list[float] | None:
    """Return moments of the sizes that a potential gives with the signs that are given, μ_B; None where both lack."""
    if given is None:
        return None if sizes is None else list(map(float, sizes))
    if sizes is None:
        return [float(moment) for moment in given]
    return [-abs(size) if sign < 0 else float(abs(size)) for sign, size in zip(given, sizes, strict=True)]


def _given(structure: Structure) -> Float[np.ndarray, "atoms"] | None:
    """Return the magnetic moments that a structure has along their common axis, μ_B; None where it has none.

    The common axis of vectors is that on which their projections are largest. It points along the largest of them.
    """
    values = structure.site_properties.get(MOMENTS)
    if values is None:
        return None
    vectors = np.array([_vector(value) for value in values])
    if not np.isfinite(vectors).all() or not vectors.any():
        return None
    if not vectors[:, :2].any():
        return np.asarray(vectors[:, 2])
    axis = np.linalg.svd(vectors)[2][0]
    along = vectors @ axis
    return np.asarray(along * np.sign(along[np.abs(along).argmax()]))


def _vector(moment: Any) -> list[float]:
    """Return a moment as a vector: a number lies along z, and nothing is none."""
    parts = np.atleast_1d(np.asarray(0.0 if moment is None else moment, dtype=float)).tolist()
    return [*[0.0] * (3 - len(parts)), *parts]


def _write_step(structure: Structure, folder: Path, chosen: InputSet) -> None:
    """Write the inputs of one step into a folder of its own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BadInputSetWarning)  # of smearing and k-points: the README says so
            inputs = chosen.inputs(folder.name, structure)
            inputs.write_input(str(folder), potcar_spec=not SETTINGS.get("PMG_VASP_PSP_DIR"))
    except (OSError, ValueError, RuntimeError) as error:  # a POTCAR that is not there
        reason = str(error).split("\n")[0]
        raise InputError(
            f"the VASP inputs cannot be written ({reason}); check the pseudopotentials in PMG_VASP_PSP_DIR, or unset "
            "it to have their names written in their place"
        ) from None
