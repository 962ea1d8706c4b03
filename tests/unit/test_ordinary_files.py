"""A configuration folder gives away nothing that lies outside it, and nothing in it makes a command hang."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ivr.cli.main import main
from ivr.hotline.files.schema import FILES
from ivr.speech.prompts import PromptBook

SHIPPED = Path(__file__).parents[2] / "queues"
SECRET = "root:$6$salt$verysecrethash:19000:0:99999:7:::"
SAYS = {"out": "link out of this folder", "pipe": "a pipe", "device": "a device", "folder": "a folder"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "queues", ignore=shutil.ignore_patterns("kept")))


def put(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "out":
        secret = next(parent for parent in path.parents if parent.name == "queues").with_name("shadow")
        secret.write_text(SECRET)
        path.symlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


def ivr(config: Path, *words: str) -> Result:
    environment = {"IVR_HOME": str(config.parent / "home"), "IVR_CONFIG": str(config), "IVR_LANGUAGE": "en"}
    return CliRunner().invoke(main, list(words), env=environment)


@pytest.mark.parametrize("name", FILES)
def test_a_link_out_of_the_folder_is_named_and_what_it_leads_to_is_not_shown(config: Path, name: str) -> None:
    put(config / name, "out")
    for words in (
        ["check"],
        ["check", "--json"],
        ["lines", "list"],
        ["due", "--workdays", "1", "--from", "2026-11-20"],
    ):
        done = ivr(config, *words)
        assert done.exit_code == 1, words
        assert f"{name}" in done.output and SAYS["out"] in done.output
        assert "secrethash" not in done.output and "root:" not in done.output


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("name", ["lines.yaml", "calendar.yaml"])
def test_what_is_no_file_is_named_and_nobody_waits_for_it(config: Path, name: str, kind: str) -> None:
    put(config / name, kind)
    done = ivr(config, "check")
    assert done.exit_code == 1
    assert SAYS[kind] in done.output


@pytest.mark.parametrize("kind", ["out", "pipe", "device", "folder"])
def test_a_profile_cannot_bring_in_what_lies_outside_either(config: Path, kind: str) -> None:
    before = (config / "lines.yaml").read_bytes()
    put(config / "profiles/stranger/lines.yaml", kind)
    listed = ivr(config, "profile", "list")
    assert listed.exit_code == 0 and "stranger" in listed.output
    used = ivr(config, "profile", "use", "stranger")
    assert used.exit_code == 1
    assert SAYS[kind] in used.output
    assert (config / "lines.yaml").read_bytes() == before
    for folder, _, names in os.walk(config):
        for name in names:
            path = Path(folder, name)
            assert path.is_symlink() or path.is_fifo() or b"secrethash" not in path.read_bytes()


@pytest.mark.parametrize("kind", ["out", "pipe", "device", "folder"])
def test_a_prompt_that_is_no_file_of_the_folder_is_not_played(config: Path, kind: str) -> None:
    put(config / "prompts/P001.wav", kind)
    book = PromptBook(config / "prompts")
    [fault] = book.check()
    assert "P001.wav" in fault and SAYS[kind] in fault
    assert book.recording("P001") != config / "prompts/P001.wav", "the shipped one is played"


def test_links_that_stay_inside_are_what_people_mean_them_to_be(config: Path, tmp_path: Path) -> None:
    (config / "city").mkdir()
    (config / "lines.yaml").rename(config / "city/lines.yaml")
    (config / "lines.yaml").symlink_to("city/lines.yaml")
    whole = tmp_path / "link"
    whole.symlink_to(config)
    for folder in (config, whole):
        done = ivr(folder, "check")
        assert done.exit_code == 0, done.output
    (config / "profiles/mine").mkdir()
    (config / "profiles/mine/lines.yaml").symlink_to("../../city/lines.yaml")
    assert ivr(config, "profile", "use", "mine").exit_code == 0
