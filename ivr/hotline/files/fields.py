"""The kinds of values that people write: numbers, names, hours, addresses; each with its own sentence."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, Strict
from pydantic_core import PydanticCustomError

from ivr.hotline.book import EMERGENCY_NUMBERS
from ivr.hotline.telephone import digits


def told(en: str, zh: str) -> PydanticCustomError:
    """Return an error that carries its own two sentences."""
    return PydanticCustomError("told", "{en}", {"en": en, "zh": zh})


def existing_day(value: str) -> str:
    """Take a day that the calendar has."""
    try:
        date.fromisoformat(value)
    except ValueError:
        raise told(
            f"there is no day {value}; write year-month-day as it is in the calendar",
            f"没有 {value} 这一天；请按“年-月-日”填写",
        ) from None
    return value


def not_an_emergency_line(value: str) -> str:
    """Take a telephone number that is not 110, 119, 120 or 122 in any spelling."""
    if digits(value) in EMERGENCY_NUMBERS:
        raise told(
            f"{digits(value)} stays separate and can never be a line; delete it",
            f"{digits(value)} 是独立的紧急号码，不能作为部门线；请删除",
        )
    if len(digits(value)) < 3:
        raise told(
            f"{value} is no telephone number: write at least three digits",
            f"{value} 不是电话号码；至少三位数字",
        )
    return value


def not_the_hotline(value: str) -> str:
    """Take a number that may be the hotline."""
    if value in EMERGENCY_NUMBERS:
        raise told(
            f"{value} stays separate and can never be the hotline", f"{value} 是独立的紧急号码，不能作为热线"
        )
    return value


def known_zone(value: str) -> str:
    """Take a time zone that exists."""
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):  # a zone that is not there is a KeyError
        raise told(
            f"there is no time zone {value!r}; write for example Asia/Shanghai",
            f"没有时区 {value!r}；请写例如 Asia/Shanghai",
        ) from None
    return value


def queue_name(value: str) -> str:
    """Take a queue id that Asterisk does not use itself."""
    if value == "general":
        raise told(
            "Asterisk keeps the name general for itself; use for example q_general",
            "general 是 Asterisk 的保留名；请用例如 q_general",
        )
    return value


def seat_extension(value: str) -> str:
    """Take an extension that is no emergency number."""
    if value in EMERGENCY_NUMBERS:
        raise told(
            f"{value} is an emergency number and cannot be a seat", f"{value} 是紧急号码，不能作座席分机"
        )
    return value


def network(value: str) -> str:
    """Take an address or a network."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise told(
            f"{value} is no address; write for example 192.0.2.20 or 198.51.100.0/24",
            f"{value} 不是地址；请写例如 192.0.2.20 或 198.51.100.0/24",
        ) from None
    return value


def own_username(value: str) -> str:
    """Take a SIP user that nothing else of ours has."""
    if value == "trunk" or value.startswith(("seat", "ivr-")):
        raise told(
            f"{value} is the name of something else in Asterisk; use for example from-110",
            f"{value} 在 Asterisk 中另有用途；请用例如 from-110",
        )
    return value


def one_leader(value: Any) -> Any:
    """Refuse several leaders (值班长负责制, 宁乡报道)."""
    if isinstance(value, list):
        raise told(
            "a shift has exactly one leader (值班长负责制); write one operator number",
            "每个班次有且只有一名值班长（值班长负责制）；请写一个话务员号",
        )
    return value


_URI = re.compile(
    r"sips?:(?:([A-Za-z0-9+._*#-]{1,64})@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]{1,120})(?::([0-9]{1,5}))?"
)


def sip_uri(value: str) -> str:
    """Take a SIP address without anything that could end a line or an argument."""
    found = _URI.fullmatch(value)
    if found is None or not 0 < int(found[3] or 5060) < 65536:
        raise told(
            f"{value!r} is no SIP address; write for example sip:119@127.0.0.1:5119",
            f"{value!r} 不是 SIP 地址；请写例如 sip:119@127.0.0.1:5119",
        )
    return value


def known_target(value: str) -> str:
    """Take a target that calls may be handed to."""
    if value in (*EMERGENCY_NUMBERS, "callback") or re.fullmatch(
        r"(subcenter|unit):[A-Za-z0-9_-]{1,40}", value
    ):
        return value
    raise told(
        f"{value!r} is no target; write '110', '119', '120', '122', 'subcenter:LINE', 'unit:ID' or callback",
        f"{value!r} 不是转接目标；可写 '110'、'119'、'120'、'122'、'subcenter:部门线'、'unit:单位' 或 callback",
    )


def opening_hours(value: str) -> str:
    """Take ``always``, ``workdays HH:MM-HH:MM`` or ``daily HH:MM-HH:MM``."""
    if value == "always":
        return value
    if re.fullmatch(r"(workdays|daily) [0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]", value):
        times = [int(hour) for hour in re.findall(r"([0-9]{2}):", value)]
        if all(hour < 24 for hour in times):
            return value
    raise told(
        f"{value!r} are no hours; write always, or for example 'workdays 09:00-17:00' or 'daily 08:00-20:00'",
        f"{value!r} 不是开放时间；请写 always，或例如 'workdays 09:00-17:00'、'daily 08:00-20:00'",
    )


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
MaybeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")]
QueueId = Annotated[Id, AfterValidator(queue_name)]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,15}$")]
EmergencyNumber = Annotated[str, Field(pattern=r"^1(10|19|20|22)$")]
Phone = Annotated[str, Field(pattern=r"^([0-9-]{3,20})?$")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\"\\;]*$")]
Sentence = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\"\\;]*$")]
Prompt = Annotated[str, Field(pattern=r"^P[0-9]{3}$")]
NoPrompt = Annotated[str, Field(pattern=r"^(P[0-9]{3})?$")]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(existing_day)]
OperatorNumber = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
Flag = Annotated[bool, Strict()]
Uri = Annotated[str, Field(max_length=200), AfterValidator(sip_uri)]
Rank = Annotated[int, Strict(), Field(ge=0, le=100)]

PATTERNS: Mapping[str, tuple[str, str]] = {
    r"^[A-Za-z0-9_-]{1,40}$": ("letters, digits, _ and -, at most 40", "字母、数字、_ 和 -，至多 40 个"),
    r"^[A-Za-z0-9_-]{0,40}$": ("letters, digits, _ and -, at most 40", "字母、数字、_ 和 -，至多 40 个"),
    r"^[0-9]{1,15}$": ("digits", "数字"),
    r"^[A-Za-z][A-Za-z0-9-]{0,40}$": (
        "the name of a SIP header, like X-Police-Ref",
        "SIP 头的名称，如 X-Police-Ref",
    ),
    r"^1(10|19|20|22)$": ("'110', '119', '120' or '122', in quotes", "'110'、'119'、'120' 或 '122'，加引号"),
    r"^[0-9-]{3,20}$": ("digits and -, 3 to 20", "数字和 -，3 到 20 个"),
    r"^([0-9-]{3,20})?$": ("digits and -, 3 to 20, or ''", "数字和 -，3 到 20 个，或 ''"),
    r"^[^\x00-\x1f\"\\;]*$": (
        'text on one line without " \\ ;',
        '一行文字，不含 " \\ ;',
    ),
    r"^P[0-9]{3}$": ("a prompt such as P001", "提示音编号，例如 P001"),
    r"^(P[0-9]{3})?$": ("a prompt such as P041, or ''", "提示音编号，例如 P041，或 ''"),
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": (
        "a time such as '08:00', from '00:00' to '23:59'",
        "时刻，例如 '08:00'，从 '00:00' 到 '23:59'",
    ),
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$": ("a day such as '2026-11-22'", "日期，例如 '2026-11-22'"),
    r"^[0-9]{4}$": ("four digits in quotes such as '1001'", "带引号的四位数字，例如 '1001'"),
    r"^[0-9]{6}$": ("six digits such as '511100'", "六位数字，例如 '511100'"),
    r"^(0[0-9]{2,3})?$": ("an area code such as '0833', or ''", "区号，例如 '0833'，或 ''"),
    r"^[0-9]{2,4}$": ("two to four digits in quotes such as '01'", "带引号的两到四位数字，例如 '01'"),
    r"^[0-9]{3,6}$": ("three to six digits such as '8001'", "三到六位数字，例如 '8001'"),
    r"^[1-9]$": ("a digit from 1 to 9", "1 到 9 的数字"),
    r"^[0-9a-fA-F:./]+$": ("an address such as 192.0.2.20", "地址，例如 192.0.2.20"),
    r"^[a-z][a-z0-9-]{2,30}$": (
        "small letters, digits and -, such as from-110",
        "小写字母、数字和 -，例如 from-110",
    ),
}
"""What each pattern means, in words."""
