"""The expected volume of a composition, from a fitted model and from the crystals found so far."""

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
_MODEL_SPREAD: Final = 0.06  # relative standard deviation of the model: 4.5 % mean absolute error on the test split
_POLYMORPH_SPREAD: Final = 0.05  # relative, between crystals of one composition that are nearly equally stable
_LEAST_SPREAD: Final = 0.02  # relative


def volume_per_atom(species: Mapping[str, int]) -> float:
    """Return the expected volume per atom of a composition, near its ground state in PBE geometry.

    A ridge regression of the logarithm of the volume on element fractions, element pairs and electronegativity
    differences (see `volume_features`). `benchmarks/fit_volume_model.py` has fitted it to crystals of the Materials
    Project. Its mean absolute error on the MP-20 test split is 4.5 %.

    Args:
        species: Element symbol to count.

    Returns:
        Volume in Å³/atom.

    Raises:
        InputError: There are no species, a count is not positive, or the model does not know an element.
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
        log_volume += table["weights"].get(feature, 0.0) * value  # a pair that was not fitted adds nothing
    return math.exp(log_volume)


@dataclass(frozen=True)
class VolumePrior:
    """What is known of the volume per atom of a composition: a log-normal distribution.

    Attributes:
        median: Median in Å³/atom.
        spread: Standard deviation of the logarithm of the volume, which is nearly the relative standard deviation.
    """

    median: float
    spread: float

    @classmethod
    def of(cls, species: Mapping[str, int]) -> VolumePrior:
        """Return what the composition model says, before any crystal is known.

        Args:
            species: Element symbol to count.

        Returns:
            The model's volume and its error.

        Raises:
            InputError: The composition is one that `volume_per_atom` refuses.
        """
        return cls(volume_per_atom(species), _MODEL_SPREAD)

    def given(self, volumes: Sequence[float]) -> VolumePrior:
        """Return what is known after some crystals of the composition were relaxed.

        This is Bayes' rule for a normal distribution of the log-volume: each crystal is an observation of it whose
        error is the 5 % by which polymorphs differ. The spread does not fall below 2 %.

        Args:
            volumes: Volumes of the relaxed crystals, in Å³/atom.

        Returns:
            The updated distribution, the same if there are no volumes.
        """
        if not volumes:
            return self
        own, others = self.spread**-2, len(volumes) * _POLYMORPH_SPREAD**-2
        log_mean = sum(math.log(v) for v in volumes) / len(volumes)
        mean = (own * math.log(self.median) + others * log_mean) / (own + others)
        return VolumePrior(math.exp(mean), max((own + others) ** -0.5, _LEAST_SPREAD))

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a volume per atom.

        Args:
            rng: Random generator.

        Returns:
            Volume in Å³/atom.
        """
        return self.median * math.exp(self.spread * rng.standard_normal())


def volume_features(fractions: Mapping[str, float], chi: Mapping[str, float]) -> dict[str, float]:
    """Return the features of the volume model, which fitting and prediction share.

    Features are named by element symbols:

    - `Fe`: atom fraction,
    - `Fe+1`, `Fe+2`: fraction times the mean (squared) electronegativity difference to the more electronegative
      elements of the composition,
    - `Fe-1`, `Fe-2`: the same for the less electronegative ones,
    - `Fe.Fe`: fraction squared,
    - `Fe.O`: product of the two fractions, with the elements in alphabetical order,
    - `Fe~O`: twice that product times the difference of the fractions,
    - `Fe!`: 1 for the pure element. Its volume is one that compounds say little about, as it may be a molecular crystal
      or an open network.

    Args:
        fractions: Element symbol to atom fraction.
        chi: Element symbol to Pauling electronegativity.

    Returns:
        Name of the feature to value.
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
    """Return the shipped coefficients of the volume model.

    Returns:
        The content of `volume.json`: `elements` with `volume` (Å³/atom) and `chi`, `base_weight` and `weights`.

    Raises:
        InputError: The file is of another format than this version reads.
    """
    table: dict[str, Any] = json.loads(VOLUME_TABLE.read_text(encoding="utf-8"))
    if table.get("format") != VOLUME_FORMAT:
        raise InputError(f"volume table has format {table.get('format')}, expected {VOLUME_FORMAT}; reinstall chggen")
    return table
