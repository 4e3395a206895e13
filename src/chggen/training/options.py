"""Options of a training run: frozen dataclasses, read from TOML by `chggen.io.from_table`.

They are no pydantic models, so that training does not need pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from chggen.errors import InputError
from chggen.io import Between, check_limits

_MOST_STEPS: Final = 10**9
_Share = Annotated[float, Between(0, 1)]
_Level = Annotated[float, Between(1e-5, 1e3)]  # a noise level, Å
_Count = Annotated[int, Between(1, 10**6)]


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
        InputError: If a number is outside its limits.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    validation_crystals: _Count = 768
    max_atoms: _Count = 52
    atoms_per_batch: _Count = 256
    crystals_per_batch: _Count = 32

    def __post_init__(self) -> None:
        check_limits(self)
        if not self.train:
            raise InputError("data.train names no file; expected at least one to learn from")


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

    Raises:
        InputError: If a number is outside its limits, the lowest level of a band is above its highest, or the
            shares sum to more than 1.
    """

    smallest: _Level = 0.005
    largest: _Level = 10.0
    focus_share: _Share = 0.5
    focus_smallest: _Level = 0.15
    focus_largest: _Level = 2.0
    species_share: _Share = 0.45
    partial_share: _Share = 0.1
    mobile_weight: Annotated[float, Between(1e-3, 1e3)] = 1.0
    atoms_share: _Share = 0.2
    uncertain_host_share: _Share = 0.25
    uncertain_host_smallest: _Level = 0.01
    uncertain_host_largest: _Level = 0.5

    def __post_init__(self) -> None:
        check_limits(self)
        for band in ("", "focus_", "uncertain_host_"):
            low, high = getattr(self, f"{band}smallest"), getattr(self, f"{band}largest")
            if low > high:
                raise InputError(f"{band}smallest must not be above {band}largest, got {low} and {high}")
        if (total := self.species_share + self.partial_share + self.atoms_share) > 1 + 1e-9:
            raise InputError(f"species_share, partial_share and atoms_share must sum to at most 1, got {total:g}")


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
        InputError: If a number is outside its limits.
    """

    steps: Annotated[int, Between(1, _MOST_STEPS)]
    learning_rate: Annotated[float, Between(0, 10)] = 1e-3
    weight_decay: Annotated[float, Between(0, 10)] = 0.01
    warmup_steps: Annotated[int, Between(0, _MOST_STEPS)] = 500
    decay_share: _Share = 0.4
    clip_norm: Annotated[float, Between(0, 1e6)] = 1.0
    part: str = "all"
    ema: _Share = 0.999

    def __post_init__(self) -> None:
        check_limits(self)


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
        InputError: If a number is outside its limits.
    """

    out: str
    seed: Annotated[int, Between(0, 2**63 - 1)] = 0
    checkpoint_minutes: Annotated[float, Between(0, 1e6)] = 5.0
    max_minutes: Annotated[float, Between(0, 1e6)] = 0.0
    validate_every: Annotated[int, Between(0, _MOST_STEPS)] = 2000
    processes: Annotated[int, Between(1, 256)] = 1

    def __post_init__(self) -> None:
        check_limits(self)
        if not self.out or "\0" in self.out:
            raise InputError(f"run.out must name a folder to write into, got {self.out!r:.60}")


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
