"""Handling units (承办单位) in three levels, and how to reach them day and night."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """A handling unit.

    Level 1: leader-led 24 h duty; 2: somebody on duty and reachable; 3: reachable (宁乡报道).
    ``can_be_main`` is false for villages and communities: they never handle alone (长沙报道).
    """

    id: str
    name: str
    level: int
    parent: str = ""
    duty_phone: str = ""
    mobile: str = ""
    leader_phone: str = ""
    can_be_main: bool = True
