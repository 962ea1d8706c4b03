"""A running hotline for the tests of one file, when the machine has room for it."""

from __future__ import annotations

import functools
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.asterisk.hotline import Hotline, running
from tests.asterisk.slots import RUN, Slot


@functools.cache
def _slot(run: str, folder: Path) -> Slot:
    return Slot(run, folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Let a file of tests begin when there is a slot, and keep it to the file's end."""
    run = os.environ.get(RUN)
    if not run:  # one test after the other
        return (yield)
    factory: pytest.TempPathFactory = item.config._tmp_path_factory  # type: ignore[attr-defined]
    slot = _slot(run, factory.getbasetemp().parent / "slots")
    slot.take()
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            slot.give_back()


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
