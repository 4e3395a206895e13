"""The optimizer on landscapes whose minima are known."""

from __future__ import annotations

import torch

from chggen.lbfgs import Lbfgs


def _descend(curvatures: torch.Tensor, sizes: list[int], n_steps: int) -> torch.Tensor:
    """Rows left from the minimum after steps on ½ Σ k x² of every coordinate, atoms and log-strains alike."""
    torch.manual_seed(3)
    n = len(sizes)
    owner = torch.arange(n).repeat_interleave(torch.tensor(sizes))
    atoms = torch.randn(len(owner), 3, dtype=torch.float64)
    strain = 0.02 * torch.randn(n, 3, 3, dtype=torch.float64)
    optimizer = Lbfgs()
    optimizer.enter(torch.tensor(sizes))
    for _ in range(n_steps):
        step, change = optimizer.step(-curvatures[owner] * atoms, -1000 * strain)
        atoms, strain = atoms + step, strain + change
    return atoms


def test_a_quadratic_is_solved_in_few_steps() -> None:
    curvatures = torch.tensor([[1.0, 10.0, 100.0], [5.0, 20.0, 30.0]], dtype=torch.float64)
    assert float(_descend(curvatures, [3, 5], 40).abs().max()) < 1e-4


def test_crystals_do_not_meet_and_may_leave() -> None:
    sizes = torch.tensor([2, 3])
    together, alone = Lbfgs(), Lbfgs()
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


def test_no_step_is_longer_than_allowed() -> None:
    optimizer = Lbfgs()
    optimizer.enter(torch.tensor([4]))
    step, strain = optimizer.step(1e5 * torch.ones(4, 3, dtype=torch.float64), 1e5 * torch.eye(3).double()[None])
    assert float(step.norm(dim=-1).max()) <= 0.2 + 1e-12
    assert float(strain.abs().max()) <= 0.05 + 1e-12
