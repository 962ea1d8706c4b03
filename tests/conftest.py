"""For all tests: a busy machine makes a property test slow, never wrong."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("hotline", deadline=None)
settings.load_profile("hotline")
