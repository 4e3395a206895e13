"""Jobs of interfaces: two crystals face to face, shifted along each other, with guests in the gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chggen.campaign.host_jobs import formula_of
from chggen.campaign.inpaint_host import InpaintHost
from chggen.campaign.interface_options import InterfaceOptions
from chggen.errors import InputError
from chggen.generation import Host, InterfaceCell, InterfaceRequest, Job, interface_cell, interface_start
from chggen.io import MAX_ATOMS, with_held_atoms
from chggen.regions import Slab, drawn_apart
from chggen.results import Candidate

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Interfaces:
    """The interface of a run.

    Attributes:
        cell: The two crystals face to face.
        asked: The same as a host, with guests for the gap, and with the two slabs as what was given.
        options: Options of the run.
    """

    cell: InterfaceCell
    asked: InpaintHost
    options: InterfaceOptions

    @classmethod
    def of(cls, a: Structure, b: Structure, options: InterfaceOptions) -> Interfaces:
        """Return the interface of two crystals.

        Args:
            a: The first crystal.
            b: The second crystal.
            options: What is asked for.

        Raises:
            InputError: The planes do not match, the cell is too large, or the gap has no room for the guests.
        """
        assert options.relax is not None
        (miller_a, miller_b), gap = options.planes, options.gap
        cell = interface_cell(
            a,
            b,
            InterfaceRequest(
                miller_a=miller_a, miller_b=miller_b, thickness=options.thickness, gap=gap, vacuum=options.vacuum,
                max_area=options.max_area, max_strain=options.max_strain, strain_on=options.strain_on,
                termination=options.termination,
            ),
        )  # fmt: skip
        n_atoms = len(cell.structure) + sum(options.guests.values())
        if n_atoms > MAX_ATOMS:
            raise InputError(
                f"the interface has {n_atoms} atoms; expected at most {MAX_ATOMS}, so lower --max-area or --thickness"
            )
        region = Slab(cell.structure.lattice, (0, 0, 1), *cell.gap)
        if options.guests:
            drawn_apart(cell.structure, options.guests, {"": region}, np.random.default_rng([options.seed]))
        heights = cell.structure.frac_coords[:, 2] * cell.structure.lattice.c
        held = heights < cell.gap[0] - options.move_within  # none of the second, which could not close the gap else
        asked = InpaintHost(
            framework=cell.structure,
            guests=options.guests,
            regions={"": region},
            held=held,
            given=tuple(with_held_atoms(cell.alone(of_b), held[cell.of_b == of_b]) for of_b in (False, True)),
            taken={},
        )
        return cls(cell, asked, options)

    @property
    def notes(self) -> list[str]:
        """What was built, a sentence each."""
        cell = self.cell
        pairs = "; ".join(f"{k}: {below} | {above}" for k, (below, above) in enumerate(cell.terminations))
        return [
            f"{len(cell.structure)} atoms on {cell.area:.1f} Å², strained by at most {100 * cell.strain:.1f} %",
            f"pairs of terminations, {self.options.termination} being taken: {pairs}",
        ]

    def jobs(self) -> list[Job]:
        """Return the jobs of the candidates."""
        options, guests = self.options, self.asked.guests
        host = Host(framework=self.cell.structure, guests=guests, regions=self.asked.regions) if guests else None
        formula = formula_of(self.cell.structure, guests)
        jobs = []
        for index in range(options.n):
            seed = int(np.random.default_rng([options.seed, index]).integers(2**62))
            start = interface_start(self.cell, host, index, seed)
            candidate = Candidate(
                id=f"{formula}-f{index:04d}", stage="interface", formula=formula, seed=seed, seed_source=start.source
            )
            jobs.append(Job(candidate=candidate, start=start, held=self.asked.held))
        return jobs
