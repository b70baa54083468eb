"""A floor under the shift of a value on real labelled series; ``tests/scoring/series.py`` has all families and the rivals."""

import pytest
from scoring import series, share


@pytest.mark.parametrize("family", series.FAMILIES)
def test_the_largest_deviation_is_where_people_marked_one(shared, family):
    """In each family of real series the largest named deviation lies in a marked stretch, or none is named where none is marked."""
    cases = [c for c in series.read(shared / "data" / "onset") if c.name.startswith(family)]
    assert share(c.hit(series.ours(c.frame)) for c in cases) >= 0.75
