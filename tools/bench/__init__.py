"""Benchmarks: ``python -m tools.bench`` measures speed and size and writes ``docs/benchmarks.md``.

Everything is bounded in count and time, stays on loopback and leaves nothing running.
"""
