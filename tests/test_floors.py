"""Operations that the floors of the benchmarks are reckoned from are counted right."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def floors() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("floors", ROOT / "benchmarks" / "floors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["floors"] = module  # where dataclasses look for their annotations
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["floors"]


@pytest.mark.parametrize("product", ["mm", "addmm", "bmm", "baddbmm"])
def test_a_product_costs_two_operations_for_each_pair_of_numbers(floors: ModuleType, product: str) -> None:
    batched = (5,) if "bmm" in product else ()
    a, b, c = torch.ones(*batched, 2, 3), torch.ones(*batched, 3, 4), torch.ones(*batched, 2, 4)
    with floors.Count() as count:
        getattr(torch, product)(*((c, a, b) if "add" in product else (a, b)))
    assert count.flops == 2 * 2 * 3 * 4 * (5 if batched else 1)
    assert not count.elements


def test_passes_are_counted_by_kind(floors: ModuleType) -> None:
    x, rows = torch.ones(6, 7), torch.tensor([0, 0, 3])
    with floors.Count() as count:
        x + x
        x**2  # a product, no exponential
        x.view(42)  # moves nothing
        torch.nn.functional.silu(x)
        torch.sqrt(x[:2])
        x.index_select(0, rows)
        x[rows]
        x.clone().index_add_(0, rows, x[:3])
        torch.cat([x, x])
    assert count.flops == 0
    assert dict(count.elements) == {"plain": 2 * 42, "hard": 42 + 14, "gathered": 3 * 21, "moved": 42 + 84}


def test_the_floor_is_the_sum_of_what_each_kind_takes(floors: ModuleType) -> None:
    count = floors.Count()
    count.flops = 3_000_000
    count.elements.update(plain=2_000_000, hard=500_000, gathered=10**9, moved=10**9)
    rates = floors.Rates(product=1e9, plain=1e9, hard=1e8)
    assert rates.seconds(count) == pytest.approx((3e-3, 2e-3, 5e-3))
    lines = floors.floor_lines("a crystal", count, rates, 0.025)
    assert lines[-2:] == ["| the floor | | | 10.0 |", "| measured (2.50 times the floor) | | | 25.0 |"]


def test_the_fastest_leaves_out_the_warm_up_and_stops_at_the_budget(floors: ModuleType) -> None:
    now, calls = [0.0], [0]

    def work() -> None:
        now[0] += 0.5 if calls[0] == 0 else 3.0 - 0.25 * calls[0]
        calls[0] += 1

    assert floors.fastest([work], 100, lambda: now[0], 5.0) == [2.5]
    assert calls[0] == 3
