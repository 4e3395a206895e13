"""The optimizer on landscapes whose minima are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chggen.relaxation.optimizers import OPTIMIZERS, Optimizer


def _descend(curvatures: torch.Tensor, sizes: list[int], n_steps: int, name: str) -> torch.Tensor:
    """Rows left from the minimum after steps on ½ Σ k x² of every coordinate, atoms and log-strains alike."""
    torch.manual_seed(3)
    n = len(sizes)
    owner = torch.arange(n).repeat_interleave(torch.tensor(sizes))
    atoms = torch.randn(len(owner), 3, dtype=torch.float64)
    strain = 0.02 * torch.randn(n, 3, 3, dtype=torch.float64)
    optimizer = Optimizer(name=name)
    optimizer.enter(torch.tensor(sizes))
    for _ in range(n_steps):
        step, change = optimizer.step(-curvatures[owner] * atoms, -1000 * strain)
        atoms, strain = atoms + step, strain + change
    return atoms


@pytest.mark.parametrize(("name", "n_steps"), [("lbfgs", 40), ("fire-lbfgs", 80), ("fire", 500)])
def test_a_quadratic_is_solved_in_few_steps(name: str, n_steps: int) -> None:
    curvatures = torch.tensor([[1.0, 10.0, 100.0], [5.0, 20.0, 30.0]], dtype=torch.float64)
    assert float(_descend(curvatures, [3, 5], n_steps, name).abs().max()) < 1e-4


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_crystals_do_not_meet_and_may_leave(name: str) -> None:
    sizes = torch.tensor([2, 3])
    together, alone = Optimizer(name=name), Optimizer(name=name)
    together.enter(sizes)
    alone.enter(sizes[1:])
    torch.manual_seed(0)
    for k in range(6):
        forces = torch.randn(5, 3, dtype=torch.float64)
        virial = torch.randn(2, 3, 3, dtype=torch.float64)
        step, strain = together.step(forces, virial) if k < 4 else together.step(forces[2:], virial[1:])
        lone, lone_strain = alone.step(forces[2:], virial[1:])
        assert torch.equal(step[-3:], lone)
        assert torch.equal(strain[-1:], lone_strain)
        if k == 3:
            together.keep(torch.tensor([False, True]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_step_is_longer_than_allowed(name: str) -> None:
    optimizer = Optimizer(name=name)
    optimizer.enter(torch.tensor([4]))
    step, strain = optimizer.step(1e5 * torch.ones(4, 3, dtype=torch.float64), 1e5 * torch.eye(3).double()[None])
    assert float(step.norm(dim=-1).max()) <= 0.2 + 1e-12
    assert float(strain.abs().max()) <= 0.05 + 1e-12


def test_fire_steps_as_that_of_ase() -> None:
    """On springs too soft to amplify rounding; turns uphill included."""
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from ase.optimize import FIRE

    stiffness = np.array([[1.0, 2.0, 3.0], [0.8, 0.5, 2.5]])

    class Springs(Calculator):
        implemented_properties = ("energy", "forces")

        def calculate(self, atoms=None, properties=("energy",), system_changes=()):  # type: ignore[no-untyped-def]
            super().calculate(atoms, properties, system_changes)
            force = -stiffness * atoms.positions
            self.results = {"energy": float(-0.5 * (force * atoms.positions).sum()), "forces": force}

    start = np.array([[0.3, -0.2, 0.5], [0.1, 0.4, -0.3]])
    atoms = Atoms("H2", positions=start, calculator=Springs())
    reference = FIRE(atoms, logfile=None)
    optimizer = Optimizer(name="fire")
    optimizer.enter(torch.tensor([2]))
    ours = torch.from_numpy(start)
    for _ in range(60):
        reference.step()
        step, strain = optimizer.step(-torch.from_numpy(stiffness) * ours, torch.zeros(1, 3, 3).double())
        ours = ours + step
        np.testing.assert_allclose(ours.numpy(), atoms.positions, atol=1e-10)
        assert not strain.any()


def test_lbfgs_takes_over_for_good_where_forces_are_small() -> None:
    """Forces above the handover are FIRE's, also those of one crystal alone; later ones are L-BFGS's, however large."""
    sizes = torch.tensor([1, 1])
    both, fire = Optimizer(name="fire-lbfgs"), Optimizer(name="fire")
    both.enter(sizes)
    fire.enter(sizes)
    large, small = torch.tensor([[2.0, 0, 0]]).double(), torch.tensor([[0.1, 0, 0]]).double()
    none = torch.zeros(2, 3, 3).double()
    for forces in (torch.cat([large, small]), torch.cat([large, 5 * large])):
        step, reference = both.step(forces, none)[0], fire.step(forces, none)[0]
        assert torch.equal(step[0], reference[0])
        assert not torch.equal(step[1], reference[1])
