"""Options of a training run: frozen dataclasses, read from TOML by `chggen.io.from_table`.

They are no pydantic models, so that training does not need pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chggen.errors import InputError


def _expect_at_least(options: Any, least: int, *names: str) -> None:
    """Raise InputError for the first of these options that is below a limit."""
    for name in names:
        if not getattr(options, name) >= least:
            raise InputError(f"{name} must be {least} or more, got {getattr(options, name)!r}")


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Options of the data, `[data]` in TOML.

    Files are `.npz` archives as described in the documentation of training, `.extxyz`, or `.csv` with a column `cif`.

    Attributes:
        train: Files to learn from.
        validation: Files to validate on; none for no validation.
        validation_crystals: Number of crystals to validate on, at least 1.
        max_atoms: Crystals with more atoms are left out; at least 1.
        atoms_per_batch: Most atoms of a batch, at least 1. A single larger crystal still makes a batch.
        crystals_per_batch: Most crystals of a batch, at least 1.

    Raises:
        InputError: If a number is below its limit.
    """

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
    """Options of the noise, `[noise]` in TOML: its levels, and which atoms of a crystal are guests.

    `species_share`, `partial_share` and `atoms_share` are shares of the crystals and sum to at most 1. In the rest all
    atoms are guests at one level, which trains the joint score.

    Attributes:
        smallest: Lowest level in Å. Levels are log-uniform.
        largest: Highest level in Å. A crystal's own `sigma_max` applies where it is lower.
        focus_share: Share of the crystals whose level is drawn from the band between `focus_smallest` and
            `focus_largest`, where it is decided which site a guest takes.
        focus_smallest: Lower end of that band in Å.
        focus_largest: Upper end of that band in Å.
        species_share: Share of the crystals whose guests are all atoms of some species.
        partial_share: Share of the crystals whose guests are some atoms of one species.
        mobile_weight: How many times likelier than others H, alkali, alkaline earth, Cu, Zn and Ag are to be the guest
            species.
        atoms_share: Share of the crystals whose guests are a random subset of the atoms.
        uncertain_host_share: Share of the crystals with a host whose host atoms carry a small noise of their own, as
            the atoms of a refined or borrowed framework do.
        uncertain_host_smallest: Lowest level of that noise in Å.
        uncertain_host_largest: Highest level of that noise in Å.
    """

    smallest: float = 0.005
    largest: float = 10.0
    focus_share: float = 0.5
    focus_smallest: float = 0.15
    focus_largest: float = 2.0
    species_share: float = 0.45
    partial_share: float = 0.1
    mobile_weight: float = 1.0
    atoms_share: float = 0.2
    uncertain_host_share: float = 0.25
    uncertain_host_smallest: float = 0.01
    uncertain_host_largest: float = 0.5


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """Options of the optimizer AdamW, `[optimizer]` in TOML.

    Attributes:
        steps: Optimizer steps of the whole run, at least 1.
        learning_rate: Highest learning rate, between warm-up and decay; at least 0.
        weight_decay: Weight decay of AdamW, at least 0.
        warmup_steps: Steps over which the learning rate rises, at least 0.
        decay_share: Share of the steps, at the end, over which the learning rate falls to 0; at least 0.
        clip_norm: Longer gradients are shortened to this norm; at least 0.
        part: `all` trains all weights. `strain` trains the strain score alone and keeps the other weights.
        ema: Decay per step of the exponential moving average (EMA) of the weights, which makes the model; at least 0.

    Raises:
        InputError: If a number is below its limit.
    """

    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_steps: int = 500
    decay_share: float = 0.4
    clip_norm: float = 1.0
    part: str = "all"
    ema: float = 0.999

    def __post_init__(self) -> None:
        _expect_at_least(self, 1, "steps")
        _expect_at_least(self, 0, "learning_rate", "weight_decay", "warmup_steps", "decay_share", "clip_norm", "ema")


@dataclass(frozen=True, kw_only=True)
class TrainingRunOptions:
    """Options of the run, `[run]` in TOML: where it writes, how often, and how long it goes on.

    Attributes:
        out: Folder of the run.
        seed: Seed of weights, batches and noise, at least 0.
        checkpoint_minutes: Minutes between two writings of the state, at least 0.
        max_minutes: Stop after so many minutes, to be resumed; 0 goes on until the steps are done.
        validate_every: Steps between two validations; 0 validates at the end only.
        processes: Number of processes that share the run, each with batches of its own: one for each core or GPU. At
            least 1.

    Raises:
        InputError: If a number is below its limit.
    """

    out: str
    seed: int = 0
    checkpoint_minutes: float = 5.0
    max_minutes: float = 0.0
    validate_every: int = 2000
    processes: int = 1

    def __post_init__(self) -> None:
        _expect_at_least(self, 0, "seed", "checkpoint_minutes", "max_minutes", "validate_every")
        _expect_at_least(self, 1, "processes")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """A whole training configuration, as a TOML file gives it.

    Attributes:
        data: What to learn from.
        optimizer: How to optimize.
        run: Where to write, and how long to go on.
        model: `architecture`, the name of an architecture (`painn` if left out), and the options of that architecture.
        noise: Which noise to learn.
    """

    data: DataOptions
    optimizer: OptimizerOptions
    run: TrainingRunOptions
    model: dict  # type: ignore[type-arg]
    noise: NoiseOptions = field(default_factory=NoiseOptions)
