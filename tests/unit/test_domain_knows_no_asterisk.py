"""Nobody outside ``ivr/asterisk`` names an action, a context, a variable or a channel of Asterisk."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.asterisk import contract
from ivr.calls import file_names
from ivr.rollout.staging import PACKAGE

DOMAIN = (
    "admission", "alarms", "calls", "events", "hotline", "queueing", "reconciliation", "recordings", "reports",
    "seats", "sides", "strangers", "supervision", "tickets", "transfers",
)  # fmt: skip
NEAR = ("api", "cli", "engine", "home", "phone", "rollout")
"""Folders that may speak to Asterisk through ``ivr.asterisk``, and spell nothing of it themselves."""

_NAMES = "|".join(
    re.escape(name)
    for name in (
        *contract.Context, *contract.Says, *contract.Noted, *contract.Variable, contract.WAY_OUT, contract.STORY_WORDS,
    )
)  # fmt: skip
_ACTIONS = (
    "AGI", "Atxfer", "BlindTransfer", "Bridge", "Command", "ConfbridgeKick", "ConfbridgeList", "ConfbridgeMute",
    "ConfbridgeUnmute", "CoreShowChannel", "CoreShowChannels", "CoreStatus", "DBDel", "DBGet", "DBGetTree", "DBPut",
    "Getvar", "Hangup", "Hold", "MixMonitor", "Originate", "PJSIPQualify", "PJSIPShowContacts", "PJSIPShowEndpoint",
    "PlayDTMF", "QueueAdd", "QueuePause", "QueuePenalty", "QueueRemove", "QueueStatus", "QueueSummary", "Redirect",
    "Setvar", "Unhold", "UserEvent",
)  # fmt: skip
NAMES = re.compile(rf"(?<![\w-])(?:__)?(?:{_NAMES})(?![\w-])")
WIRE = re.compile(
    rf"\A(?:{'|'.join(_ACTIONS)})\Z|\b(?:PJSIP|Local|SIP)/|\b(?:CHANNEL|GROUP|GROUP_COUNT|TIMEOUT|CDR)\([a-z]"
)


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of a module that is no docstring, and the constant parts of what is put together."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }  # a docstring, of a module or of a name
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def spelled(source: Path, *rules: re.Pattern[str]) -> list[str]:
    return [
        f"{source}:{line}: {text!r}"
        for line, text in words(source)
        if any(rule.search(text) for rule in rules)
    ]


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((PACKAGE / folder).rglob("*.py"))]
    assert len(found) > len(folders)
    return found


def test_the_domain_names_nothing_of_asterisk() -> None:
    assert [fault for path in modules(*DOMAIN) for fault in spelled(path, NAMES, WIRE)] == []


def test_what_the_dialplan_shares_is_spelled_in_one_place() -> None:
    others = [path for path in modules("asterisk") if path.name != "contract.py"]
    found = [fault for path in [*modules(*NEAR), *others] for fault in spelled(path, NAMES)]
    assert found == []


def test_endings_of_recordings_are_spelled_in_one_place() -> None:
    endings = re.compile(
        "|".join(rf"{re.escape(getattr(file_names, name))}\b" for name in ("RAW", "HELP", "PART", "MESSAGE", "SPARE"))
        .replace("\\-", "(?<![a-z])-")
    )  # fmt: skip
    where = [path for path in modules(*DOMAIN, "phone", "asterisk/control") if path.name != "file_names.py"]
    assert [fault for path in where for fault in spelled(path, endings)] == []


@pytest.mark.parametrize(
    "text",
    [
        'link.action("Redirect", {})',
        'x = f"PJSIP/{user}"',
        'headers = {"Context": "ivr-star"}',
        'variables = {"__IVR_CALL": call_id}',
        'if name == "IvrHelp": ...',
        'x = "CHANNEL(language)"',
        'x = "Local/s@somewhere"',
    ],
)
def test_a_name_that_somebody_adds_is_found(tmp_path: Path, text: str) -> None:
    source = tmp_path / "module.py"
    source.write_text(f'"""Not ivr-star, not IVR_CALL: a docstring may."""\n{text}\n')
    assert len(spelled(source, NAMES, WIRE)) == 1
