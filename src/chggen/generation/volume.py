"""The volume that a composition is expected to take, from a model and from the crystals found so far."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from chggen.errors import InputError

VOLUME_TABLE: Final = Path(__file__).parents[1] / "data" / "volume.json"
VOLUME_FORMAT: Final = 1
_MODEL_SPREAD: Final = 0.06  # of the volume model: 4.5 % mean absolute error on the test split
_POLYMORPH_SPREAD: Final = 0.05  # between a crystal and another of the same composition nearly as stable
_LEAST_SPREAD: Final = 0.02


def volume_per_atom(species: Mapping[str, int]) -> float:
    """Expected volume of a crystal of these species near its ground state, Å³/atom (PBE geometry).

    A ridge model of the log-volume over element fractions, element pairs and electronegativity differences.
    Raises InputError for no species, counts that are not positive and elements the model never met.
    """
    if not species or any(n <= 0 for n in species.values()):
        raise InputError(f"expected positive counts of at least one element, got {dict(species)}")
    table = volume_table()
    elements = table["elements"]
    unknown = [symbol for symbol in species if symbol not in elements]
    if unknown:
        raise InputError(f"the volume model does not know {', '.join(unknown)}; give the volume per atom yourself")
    n_atoms = sum(species.values())
    fractions = {symbol: n / n_atoms for symbol, n in species.items()}
    base = sum(x * elements[symbol]["volume"] for symbol, x in fractions.items())
    log_volume = table["base_weight"] * math.log(base)
    for feature, value in volume_features(fractions, {s: elements[s]["chi"] for s in species}).items():
        log_volume += table["weights"].get(feature, 0.0) * value  # a pair never met has its context terms only
    return math.exp(log_volume)


@dataclass(frozen=True)
class VolumePrior:
    """What is expected of the volume per atom, Å³: a log-normal law of that median and relative spread."""

    median: float
    spread: float

    @classmethod
    def of(cls, species: Mapping[str, int]) -> VolumePrior:
        """Before anything is known: the composition model and its error."""
        return cls(volume_per_atom(species), _MODEL_SPREAD)

    def given(self, volumes: Sequence[float]) -> VolumePrior:
        """After relaxed crystals of these volumes, which tell the formula's up to the spread between its polymorphs."""
        if not volumes:
            return self
        own, others = self.spread**-2, len(volumes) * _POLYMORPH_SPREAD**-2
        log_mean = sum(math.log(v) for v in volumes) / len(volumes)
        mean = (own * math.log(self.median) + others * log_mean) / (own + others)
        return VolumePrior(math.exp(mean), max((own + others) ** -0.5, _LEAST_SPREAD))

    def draw(self, rng: np.random.Generator) -> float:
        return self.median * math.exp(self.spread * rng.standard_normal())


def volume_features(fractions: Mapping[str, float], chi: Mapping[str, float]) -> dict[str, float]:
    """Features of the volume model, by name: what fitting and prediction share.

    `Fe` atomic fraction; `Fe+1`, `Fe+2`, `Fe-1`, `Fe-2` the fraction times the mean (squared) electronegativity
    difference to the more (+) and less (-) electronegative neighbours in composition; `Fe.O` product of fractions,
    elements in alphabetical order, `Fe~O` the same times their difference; `Fe!` marks the pure element, whose
    volume (a molecular crystal, an open network) compounds say little about. chi: Pauling electronegativities.
    """
    symbols = sorted(fractions)
    features: dict[str, float] = {f"{symbols[0]}!": 1.0} if len(symbols) == 1 else {}
    for a in symbols:
        x = fractions[a]
        features[a] = x
        features[f"{a}.{a}"] = x * x
        for b in symbols:
            gap = chi[b] - chi[a]
            sign = "+" if gap > 0 else "-"
            for power in (1, 2):
                name = f"{a}{sign}{power}"
                features[name] = features.get(name, 0.0) + x * fractions[b] * abs(gap) ** power
            if a < b:
                features[f"{a}.{b}"] = x * fractions[b]
                features[f"{a}~{b}"] = 2.0 * x * fractions[b] * (x - fractions[b])
    return features


@lru_cache(maxsize=1)
def volume_table() -> dict[str, Any]:
    """The shipped coefficients. Raises InputError when their format is not the one this version reads."""
    table: dict[str, Any] = json.loads(VOLUME_TABLE.read_text(encoding="utf-8"))
    if table.get("format") != VOLUME_FORMAT:
        raise InputError(f"volume table has format {table.get('format')}, expected {VOLUME_FORMAT}; reinstall chggen")
    return table
