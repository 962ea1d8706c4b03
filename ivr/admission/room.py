"""The room for callers of one instance: what its settings and this machine's limits come to."""

from __future__ import annotations

import resource

from ivr.admission.capacity import Capacity, capacity, files_for, pairs_of, pairs_of_files
from ivr.hotline.book import HotlineBook

LEAST_FILES = 20_000


def wanted_files(pairs: int) -> int:
    """Return the file handles that Asterisk should have for so many pairs of ports."""
    return max(LEAST_FILES, files_for(pairs))


def max_files(pairs: int) -> int:
    """Return the file handles that an Asterisk started from here may have."""
    hard, wanted = resource.getrlimit(resource.RLIMIT_NOFILE)[1], wanted_files(pairs)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def room(rtp_ports: tuple[int, int], book: HotlineBook, files: int | None) -> Capacity:
    """Return how many callers are admitted.

    Args:
        rtp_ports: the first and the last of the RTP ports.
        book: the seats.
        files: the file handles of Asterisk (:func:`max_files` of one started from here); None: they are not known.
    """
    pairs = pairs_of(*rtp_ports)
    if files is not None:
        pairs = min(pairs, pairs_of_files(files))
    return capacity(pairs, len(book.seats))
