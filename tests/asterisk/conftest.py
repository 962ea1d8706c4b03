"""A running hotline for the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asterisk.hotline import Hotline, running


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    """A hotline as shipped, for the tests of one file."""
    with running(tmp_path_factory.mktemp("hotline")) as instance:
        yield instance


@pytest.fixture(scope="module")
def quick_hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    """A hotline with a short greeting, for the tests of one file."""
    with running(tmp_path_factory.mktemp("quick"), quick=True) as instance:
        yield instance


@pytest.fixture
def own_hotline(tmp_path: Path) -> Iterator[Hotline]:
    """A hotline of the test's own, with a short greeting, to break."""
    with running(tmp_path, quick=True) as instance:
        yield instance
