"""Asterisk is told only of what changed, and believed only when it answers with all of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from ivr.api.requests import Answers
from ivr.asterisk.ami.codec import Message
from ivr.asterisk.ami.link import AmiRefused, Link
from ivr.asterisk.install.reloading import changed_files, differences, expected, family, tell
from ivr.asterisk.install.rendering import render
from ivr.engine.engine import Engine
from ivr.home.secrets import open_keys
from ivr.home.settings import Settings
from ivr.hotline.book import QueueSpec
from ivr.rollout import staging as deployment
from ivr.rollout.prepare import place_fingerprint
from ivr.rollout.states import ApplyRefused
from tests.unit.kit import small_book


@pytest.fixture
def pieces(tmp_path: Path) -> Path:
    """What a small hotline's files say."""
    settings = Settings(home=tmp_path / "home")
    book = small_book(
        queues=(QueueSpec("q_general", "综合", strategy="random"), QueueSpec("q_market", "市场"))
    )
    keys = open_keys(settings.home, deployment.sip_users(book), [])
    render(
        deployment.TEMPLATES, tmp_path / "etc", deployment.context(settings, book, keys, {}), pieces_only=True
    )
    return tmp_path / "etc"


class FakeLink:
    """An Asterisk that has what it was given."""

    def __init__(self, folder: Path) -> None:
        wanted = expected(folder)
        self.sent: list[tuple[str, Mapping[str, str]]] = []
        self.dialplan = {context: set(steps) for context, steps in wanted.dialplan.items()}
        self.queues = dict(wanted.queues)
        self.endpoints = set(wanted.endpoints)

    async def action(self, name: str, headers: Mapping[str, str], **_: object) -> None:
        self.sent.append((name, headers))

    async def list_action(self, name: str, headers: Mapping[str, str], **_: object) -> list[Message]:
        if name == "ShowDialPlan":
            if headers["Context"] not in self.dialplan:
                raise AmiRefused("Did not find context")
            return [_step(row) for row in sorted(self.dialplan[headers["Context"]])]
        if name == "QueueStatus":
            return [_message("QueueParams", Queue=q, Strategy=s) for q, s in self.queues.items()]
        if not self.endpoints:
            raise AmiRefused("No endpoints found")
        return [_message("EndpointList", ObjectName=name) for name in self.endpoints]


def _message(event: str, **headers: str) -> Message:
    return Message("\r\n".join([f"Event: {event}", *(f"{name}: {value}" for name, value in headers.items())]))


def _step(row: str) -> Message:
    exten, number, told = row.split(",", 2)
    name, _, data = told.partition("(")
    return _message("ListDialplan", Extension=exten, Priority=number, Application=name, AppData=data[:-1])


async def differ(link: FakeLink, wanted: Path, gone: Path) -> list[str]:
    return [d.en for d in await differences(cast(Link, link), expected(wanted), expected(gone))]


def test_what_the_files_ask_for_is_read_from_them(pieces: Path) -> None:
    wanted = expected(pieces)
    assert wanted.queues == {"q_general": "random", "q_market": "rrmemory"}
    assert wanted.endpoints == {"trunk", "from-110", "ivr-callback", "ivr-out", "seat01", "seat02", "seat03"}
    assert "12315,1,NoOp()" in wanted.dialplan["ivr-numbers"]
    assert "*10,2,Goto(ivr-seat,s,1)" in wanted.dialplan["ivr-from-seat"]
    assert "T,1,Goto(${IVR_DIALLED},placed)" in wanted.dialplan["ivr-reception"]


async def test_every_thing_that_is_missing_or_foreign_is_named(pieces: Path) -> None:
    link = FakeLink(pieces)
    assert await differ(link, pieces, pieces) == []
    link.dialplan["ivr-numbers"].add("999,1,NoOp()")
    link.dialplan["ivr-numbers"].discard("12345,1,NoOp()")
    del link.dialplan["ivr-seat"]
    link.queues["q_general"] = "ringall"
    del link.queues["q_market"]
    link.endpoints -= {"seat02"}
    told = await differ(link, pieces, pieces)
    for sentence in (
        "context ivr-numbers lacks 12345,1,NoOp()",
        "context ivr-numbers has a foreign 999,1,NoOp()",
        "queue q_general is ringall, not random",
        "queue q_market is absent, not rrmemory",
        "endpoint seat02 is absent",
    ):
        assert sentence in told
    assert any("more in ivr-seat" in sentence for sentence in told), "a whole context is not a page of text"


async def test_what_the_other_version_had_must_be_gone_and_a_city_s_own_things_may_stay(
    pieces: Path, tmp_path: Path
) -> None:
    former = tmp_path / "former"
    shutil.copytree(pieces, former)
    for file, text in (("queues.conf", "\n[q_old](ivr-queue)\n"), ("pjsip.conf", "\n[seat09](ivr-seat)\n")):
        with (former / "ivr12345" / file).open("a") as piece:
            piece.write(text)
    link = FakeLink(former)
    link.queues["city_queue"] = "linear"
    link.endpoints.add("city_phone")
    assert await differ(link, pieces, former) == [
        "queue q_old is still there",
        "endpoint seat09 is still there",
    ]


async def test_only_what_changed_is_told_and_never_the_statistics_or_members(
    pieces: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    shutil.copytree(pieces, new)
    assert changed_files(pieces, new) == []
    with (new / "ivr12345/extensions.conf").open("a") as file:
        file.write("\n[ivr-more]\n")
    (new / "ivr12345/queues.conf").write_text("")
    (new / "manager.conf").write_text("port = 1")
    names = changed_files(pieces, new)
    assert names == ["ivr12345/queues.conf", "ivr12345/extensions.conf", "manager.conf"]
    link = FakeLink(pieces)
    await tell(cast(Link, link), names)
    assert link.sent == [("QueueReload", {"Parameters": "yes"}), ("Reload", {"Module": "pbx_config.so"})]


def test_a_piece_that_another_includes_belongs_to_it(pieces: Path, tmp_path: Path) -> None:
    (pieces / "ivr12345/waiting.conf").write_text("[ivr-waiting]\nexten => s,1,Answer()\n")
    (pieces / "ivr12345/seats.conf").write_text("[ivr-seats]\nexten => s,1,Answer()\n")
    (pieces / "extensions.conf").write_text(
        "#include ivr12345/extensions.conf\n#include ivr12345/seats.conf\n"
    )
    with (pieces / "ivr12345/extensions.conf").open("a") as file:
        file.write('\n#include "ivr12345/waiting.conf"\n')
    assert set(family(pieces, "ivr12345/extensions.conf")) == {
        "ivr12345/extensions.conf", "ivr12345/waiting.conf", "ivr12345/seats.conf"
    }  # fmt: skip
    assert {"ivr-waiting", "ivr-seats"} <= expected(pieces).dialplan.keys()
    new = tmp_path / "new"
    shutil.copytree(pieces, new)
    (new / "ivr12345/seats.conf").write_text("[ivr-seats]\nexten => s,1,Hangup()\n")
    assert changed_files(pieces, new) == ["ivr12345/extensions.conf"]


async def test_a_command_with_other_settings_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    class Part:
        settings = Settings(home=tmp_path)

    answers = Answers(cast(Engine, Part()))
    for request in ({}, {"place": place_fingerprint(Settings(home=tmp_path, sip_port=5070))}):
        with pytest.raises(ApplyRefused, match="different settings"):
            await answers.can_apply(cast(Mapping[str, Any], request))
    same = place_fingerprint(Settings(home=tmp_path, config=tmp_path / "other", language="zh"))
    assert same == place_fingerprint(Part.settings), "the folder to apply may be another one"


def test_a_semicolon_that_is_escaped_in_the_file_is_expected_as_asterisk_reads_it(pieces: Path) -> None:
    """Every change was put back: Asterisk told ``;`` of a step that is written with a backslash before it."""
    steps = expected(pieces).dialplan["ivr-address"]
    assert any("IVR_ADDRESS,;,1" in step for step in steps)
    assert not any("\\;" in step for rows in expected(pieces).dialplan.values() for step in rows)
