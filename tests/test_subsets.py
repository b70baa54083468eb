"""The subset scan on arrays, and what chance does to it."""

from itertools import combinations, product

import numpy as np
import pytest

from incidentnb.analysis import causes, chance, subsets
from incidentnb.analysis.subsets import OTHER, Leaves


def leaves(chance_of, seed=1, size=(3, 4, 2), each=200, folded=False) -> Leaves:
    """A full grid of leaves ``a``, ``b``, ``c`` with numbers as values; ``chance_of(a, b, c)`` is the failing rate in the incident."""
    draw = np.random.default_rng(seed)
    codes = np.array(list(product(*(range(n) for n in size))))
    total = draw.integers(each // 2, each * 2, len(codes)).astype(float)
    base = draw.integers(each * 2, each * 6, len(codes)).astype(float)
    rate = np.array([chance_of(*row) for row in codes])
    values = tuple((OTHER if folded and v == 0 else str(v) for v in range(n)) for n in size)
    return Leaves(("a", "b", "c"), codes, tuple(map(tuple, values)), draw.binomial(total.astype(int), rate).astype(float), total,
                  draw.binomial(base.astype(int), 0.01).astype(float), base)


def test_search_finds_what_trying_everything_finds():
    """The best score is that of the best of all conjunctions, tried one by one, and folded values take no part."""
    for seed, folded in ((1, False), (2, True)):
        grid = leaves(lambda a, b, c: 0.3 if (a, c) == (1, 1) else 0.01, seed, folded=folded)
        mu = subsets.expected(grid)
        every = [subsets.conjunction(grid, grid.failing, mu, where) for depth in (1, 2, 3) for names in combinations(range(3), depth)
                 for values in product(*([v for v in grid.values[i] if v is not OTHER] for i in names))
                 for where in [tuple((grid.columns[i], v) for i, v in zip(names, values, strict=True))]]
        found = subsets.search(grid, subsets.cells(grid), grid.failing, mu)
        assert found[0].score == pytest.approx(max(s.score for s in every))
        assert dict(found[0].where) == {"a": "1", "c": "1"}
        assert not any(v is OTHER for s in found for _, v in s.where)


def test_cells_gather_every_leaf_once():
    """The sums over the cells of one choice of columns are the whole."""
    grid = leaves(lambda a, b, c: 0.05)
    assert all(group.sums(grid.total).sum() == grid.total.sum() for group in subsets.cells(grid))


def test_values_together_beat_one():
    """Two values of one column that fail alike are two causes; one strong value with a trifling second stays one."""
    two = causes.causes(leaves(lambda a, b, c: 0.4 if b in (1, 3) else 0.01))
    assert sorted(dict(s.where)["b"] for s, _ in two.accepted) == ["1", "3"]
    one = causes.causes(leaves(lambda a, b, c: 0.4 if b == 1 else 0.02 if b == 3 else 0.01))
    assert [dict(s.where) for s, _ in one.accepted] == [{"b": "1"}]


def test_needless_conditions_are_dropped():
    """A condition goes where the requests that it alone shuts out are raised too."""
    grid = leaves(lambda a, b, c: (0.5 if c else 0.15) if a == 1 else 0.01)
    mu = subsets.expected(grid)
    narrow = subsets.conjunction(grid, grid.failing, mu, (("a", "1"), ("c", "1")))
    assert dict(subsets.widened(grid, grid.failing, mu, narrow).where) == {"a": "1"}


def test_both_nulls_are_kept():
    """Where all fail alike, or all rose alike, no p is small more often than it says; where one subset fails, both are."""
    alike, risen = [], []
    for seed in range(40):
        grid = leaves(lambda a, b, c: 0.05, seed)
        gathered, mu = subsets.cells(grid), subsets.expected(grid)
        best = subsets.search(grid, gathered, grid.failing, mu)[0]
        alike.append(chance.p_alike_now(grid, gathered, seed))
        risen.append(chance.p_risen_alike(grid, gathered, grid.failing, mu, chance.stand(grid, grid.failing, mu, best.rows), seed))
    assert np.mean(np.array(alike) < 0.05) <= 0.15  # 2 expected of 40, more than 6 by chance once in 300
    assert np.mean(np.array(risen) < 0.05) <= 0.15
    grid = leaves(lambda a, b, c: 0.3 if a == 1 else 0.01)
    assert causes.causes(grid).p_value < 1e-3


def test_a_short_past_counts_as_little():
    """The same failures stand out less where the past that they are compared with is short."""
    now = [np.array([v]) for v in (30.0, 100.0)]
    long, short = (chance.own_past(*now, np.array([b]), np.array([m]), (60.0, 10_000.0, b * 10, m * 100))[0]
                   for b, m in ((2000.0, 10_000.0), (50.0, 250.0)))
    assert 0 < short < long
    assert chance.own_past(*now, np.array([1.0]), np.array([20.0]), (60.0, 10_000.0, 5.0, 10_000.0))[0] == np.inf


def test_too_few_failures_rule_nothing_out():
    """With a dozen failures nobody can say that no subset is hit; with hundreds spread evenly one can."""
    few, many = (causes.causes(leaves(lambda a, b, c, rate=rate: rate)) for rate in (0.0015, 0.1))
    assert not few.accepted
    assert "too few" in few.doubt
    assert not many.accepted
    assert not many.doubt
