"""For all tests: a busy machine makes a property test slow, never wrong.

``make test`` tries the same examples every time, so that a check tells of the change and of nothing
else; ``make explore`` tries new ones.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("hotline", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("hotline")
