"""How callers are received: the reception itself, the modes of the day, and who goes first."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class ModeName(enum.StrEnum):
    """The three modes of dispatch (常规、假日、应急; 乐山报道)."""

    REGULAR = "regular"
    HOLIDAY = "holiday"
    EMERGENCY = "emergency"


@dataclass(frozen=True)
class ModeSpec:
    """What is different while a mode is set.

    ``prompt``: told to callers before the queue, empty for none.  ``overflow_at_once``: calls flow
    over to other queues without the wait.  ``experts_closed``: expert queues take no calls.
    ``priority``: added to the ordinary priority of a call, by line id.
    """

    name: ModeName
    prompt: str = ""
    overflow_at_once: bool = False
    experts_closed: bool = False
    priority: Mapping[str, int] = field(default_factory=dict)


DEFAULT_MODES: Mapping[ModeName, ModeSpec] = {
    ModeName.REGULAR: ModeSpec(ModeName.REGULAR),
    ModeName.HOLIDAY: ModeSpec(ModeName.HOLIDAY, prompt="P041", experts_closed=True),
    ModeName.EMERGENCY: ModeSpec(ModeName.EMERGENCY, prompt="P040", overflow_at_once=True),
}


class ReceptionStyle(enum.StrEnum):
    """Straight to people (GB/T 33358 wants no menu), or one level of keys first."""

    DIRECT = "direct"
    MENU = "menu"


@dataclass(frozen=True)
class ReceptionSpec:
    """What plays before the queue; ``keys``: digit to line id, for the menu.

    ``star_number``: where the caller's ``*`` leads; 110 passes fire and ambulance on (国办发〔2022〕12号).
    """

    greeting: str = "P001"
    style: ReceptionStyle = ReceptionStyle.DIRECT
    parallel_prompt: str = "P005"
    merged_prompt: str = "P006"
    keys: Mapping[str, str] = field(default_factory=dict)
    speech: bool = False
    star_number: str = "110"


@dataclass(frozen=True)
class Priorities:
    """Who goes first in a queue: the higher the sooner (110分流 > 紧急复呼 > 回拨 > 普通)."""

    diversion_110: int = 30
    emergency: int = 20
    callback: int = 10
    ordinary: int = 0
