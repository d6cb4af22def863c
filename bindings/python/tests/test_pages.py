"""The pages name what is there."""

import re
from pathlib import Path

import pytest

import populace as pp

DOCS = Path(__file__).parents[3] / "docs"
#: What the pages call a module, a class, or one of its objects.
MEANT = {
    "pool": pp.pool,
    "Pool": pp.pool.Pool,
    "scope": pp.pool.autorelease,
    "buffer": pp.pool.Buffer,
    "crowd": pp.Population,
    "Population": pp.Population,
    "pp": pp,
}


@pytest.mark.parametrize("page", ["python.md", "python-names.md"])
def test_every_name_on_a_page_is_there(page) -> None:
    text = (DOCS / page).read_text()
    if page == "python-names.md":
        # The left column is of others' names.
        text = "\n".join(line.split("|")[2] for line in text.splitlines() if line.count("|") == 3)
    names = set(re.findall(r"\b(" + "|".join(MEANT) + r")\.(\w+)", text))
    assert len(names) > 10
    missing = sorted(".".join(pair) for pair in names if not hasattr(MEANT[pair[0]], pair[1]))
    assert not missing
