"""Settling: when guests have found their places before all levels were visited."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settling:
    """When the guests of a crystal have found their places, so that most of the levels left are not needed.

    Each evaluation of the network says where it expects the clean guests. As long as the noise hides where they
    belong, that changes with each fresh noise; once it stays, lower levels change it no more.

    Attributes:
        near: How far no guest's expected place may move from one level to the next, Å.
        times: So many times in a row.
        level: Settled guests go on from the first level that is not above this one, Å.
    """

    near: float = 0.15
    times: int = 2
    level: float = 0.1
