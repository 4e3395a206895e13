"""Options of a training run: frozen dataclasses, read from TOML by config.from_table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chggen.errors import InputError


def _expect_at_least(options: Any, least: int, *names: str) -> None:
    for name in names:
        if not getattr(options, name) >= least:
            raise InputError(f"{name} must be {least} or more, got {getattr(options, name)!r}")


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Files to learn from: .npz with the keys of docs/training.md, .extxyz, or .csv with a `cif` column."""

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    validation_crystals: int = 768
    max_atoms: int = 52
    atoms_per_batch: int = 256
    crystals_per_batch: int = 32

    def __post_init__(self) -> None:
        _expect_at_least(self, 1, "validation_crystals", "max_atoms", "atoms_per_batch", "crystals_per_batch")


@dataclass(frozen=True, kw_only=True)
class NoiseOptions:
    """Noise levels and the mixture of joint and host/guest tasks (shares sum to at most 1; the rest is joint)."""

    smallest: float = 0.005  # Å
    largest: float = 10.0  # Å; each crystal's own sigma_max applies below it
    focus_share: float = (
        0.5  # of the crystals: a level from the band below, where it is decided which site a guest takes
    )
    focus_smallest: float = 0.15  # Å
    focus_largest: float = 2.0  # Å
    species_share: float = 0.45  # guests: all atoms of some species
    partial_share: float = 0.1  # guests: some atoms of one species
    mobile_weight: float = 1.0  # how much likelier H, alkali, alkaline earth, Cu, Zn and Ag are to be those species
    atoms_share: float = 0.2  # guests: a random subset of the atoms
    uncertain_host_share: float = 0.25  # of the host/guest crystals: host atoms carry a small noise of their own
    uncertain_host_smallest: float = 0.01  # Å
    uncertain_host_largest: float = 0.5  # Å


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """AdamW; warm-up, constant, then decay to 0 over the last `decay_share` of the steps."""

    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_steps: int = 500
    decay_share: float = 0.4
    clip_norm: float = 1.0
    part: str = "all"  # of the weights to train, or `strain`: the score of lattice shapes alone, the others kept
    ema: float = 0.999

    def __post_init__(self) -> None:
        _expect_at_least(self, 1, "steps")
        _expect_at_least(self, 0, "learning_rate", "weight_decay", "warmup_steps", "decay_share", "clip_norm", "ema")


@dataclass(frozen=True, kw_only=True)
class TrainingRunOptions:
    """Where the run lives and how often it writes."""

    out: str
    seed: int = 0
    checkpoint_minutes: float = 5.0
    max_minutes: float = 0.0  # 0: until the steps are done; else stop by itself, resumable
    validate_every: int = 2000
    processes: int = 1  # that share the run, each with batches of its own: one a core, or one a GPU

    def __post_init__(self) -> None:
        _expect_at_least(self, 0, "seed", "checkpoint_minutes", "max_minutes", "validate_every")
        _expect_at_least(self, 1, "processes")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """A whole training configuration. model: `architecture` and the options of that architecture."""

    data: DataOptions
    optimizer: OptimizerOptions
    run: TrainingRunOptions
    model: dict  # type: ignore[type-arg]
    noise: NoiseOptions = field(default_factory=NoiseOptions)
