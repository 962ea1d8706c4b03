"""A city installs a wheel and has no checkout: everything the program needs came with it.

Nothing is fetched: the environment made here sees the tests' own packages behind its own, by a
``.pth`` file.  That the lock has all of them is asked in tests/unit/test_lock.py.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import sysconfig
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.asterisk.hotline import PROJECT, SPEECH, Hotline

SOURCES = ("agi_scripts", "asterisk_conf", "docs", "ivr", "queues")
NUMBER = "15400001001"


def _run(*words: object, cwd: Path) -> str:
    done = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a source distribution: what is missing from either is missing here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in SOURCES:
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "kept"))
    for path in PROJECT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, source)
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and, behind it, the packages of the tests."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    _run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin/python"
    _run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel,
        cwd=folder.parent,
    )  # fmt: skip
    packages = Path(
        _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    paths = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (packages / "of_the_tests.pth").write_text("\n".join(paths) + "\n")
    where = _run(python, "-c", "import ivr; print(ivr.__file__)", cwd=folder)
    assert where.startswith(str(packages)), where
    return folder


@pytest.fixture
def installed(environment: Path, tmp_path: Path) -> Iterator[Hotline]:
    """A hotline whose command is the installed one, in an empty folder: nobody named a configuration."""
    hotline = Hotline(tmp_path)
    hotline.program = environment / "bin/ivr"
    del hotline.environment["IVR_CONFIG"]
    try:
        yield hotline
    finally:
        hotline.down()


def test_a_wheel_has_every_file_of_the_program(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    wanted = {str(path.relative_to(PROJECT)) for path in (PROJECT / "ivr").rglob("*") if _is_ours(path)}
    for name in ("agi_scripts", "asterisk_conf", "queues"):
        files = [path for path in (PROJECT / name).rglob("*") if _is_ours(path)]
        wanted |= {f"ivr/shipped/{path.relative_to(PROJECT)}" for path in files}
    assert len(wanted) > 400
    assert wanted - inside == set()
    extra = {name for name in inside - wanted if "-0.1.0." not in name}
    assert extra == set(), "what is no part of the program"


def _is_ours(path: Path) -> bool:
    """Tell whether a file belongs to the program, and not to who runs or tries it here."""
    strange = {"__pycache__", "kept", "prompts"} & set(path.relative_to(PROJECT).parts[1:-1])
    shipped_prompts = path.is_relative_to(PROJECT / "ivr/speech/prompts")
    return path.is_file() and (not strange or shipped_prompts)


def _open_in_the_checkout(hotline: Hotline) -> list[str]:
    """Return what a running hotline holds of the checkout, but for the tests' own packages."""
    held = []
    for process in hotline.processes():
        with contextlib.suppress(psutil.Error):
            names = [*process.cmdline(), process.cwd(), *(file.path for file in process.open_files())]
            names += [region.path for region in process.memory_maps()]
            held += [name for name in names if str(PROJECT) in name and not name.startswith(sys.prefix)]
    return held


def _leaves_a_note(hotline: Hotline) -> None:
    """Start the script of an engine that is away, as Asterisk does."""
    script = hotline.home / "asterisk/agi-bin/reception-away"
    assert str(PROJECT) not in script.read_text(encoding="utf-8")
    request = f"agi_callerid: {NUMBER}\nagi_channel: PJSIP/x\n\n"
    subprocess.run([script, "1700000000.7", "12345", "trunk", "x.wav"], input=request, text=True, check=True)
    (note,) = (hotline.home / "spool").glob("*.json")
    assert json.loads(note.read_text(encoding="utf-8"))["caller"] == NUMBER


def test_an_installed_wheel_answers_a_call_in_an_empty_folder(installed: Hotline) -> None:
    done = installed.run("up", "--detach")
    assert done.returncode == 0, done.stderr + installed.logs()
    written = installed.folder / "queues"
    assert f"{written}: the shipped configuration was written there" in done.stderr
    assert (written / "hotline.yaml").read_bytes() == (PROJECT / "queues/hotline.yaml").read_bytes()

    installed.man("01", "1001", sound=SPEECH / "social_card.wav")
    caller = installed.phones.caller(
        number=NUMBER, before_ms=7500, sound=SPEECH / "power_cut.wav", after_ms=800
    )
    assert caller.wait() == 0, caller.errors() + installed.logs()
    ticket = installed.transcribed(NUMBER)
    assert ticket["outcome"] == "answered"
    assert ticket["transcript"]["status"] == "done", "the model came along"
    assert ticket["transcript"]["text"]
    with wave.open(ticket["recordings"][0]["path"]) as sound:
        assert sound.getnchannels() == 2

    assert _open_in_the_checkout(installed) == []
    for path in (installed.home / "asterisk/etc").rglob("*.conf"):
        assert str(PROJECT) not in path.read_text(encoding="utf-8"), path
    assert installed.run("down").returncode == 0
    _leaves_a_note(installed)


def test_an_installed_wheel_is_set_up_checked_and_changed_as_a_checkout_is(installed: Hotline) -> None:
    installed.environment["IVR_ASTERISK"] = "external"  # whose set-up only looks
    done = installed.run("setup")
    assert done.returncode == 0, done.stderr
    assert "the shipped configuration was written there" in done.stderr
    done = installed.run("check")
    assert done.returncode == 0, done.stderr
    assert [row["profile"] for row in installed.ask("profile", "list")] == ["ankang", "leshan", "ningxiang"]
    done = installed.run("profile", "use", "ankang")
    assert done.returncode == 0, done.stderr
    share = installed.program.parents[1] / "share/doc/ivr12345"
    assert {"ivr12345.service", "administrator-guide.md", "requirements.lock"} <= _names(share)
    assert "ivr12345.nft" in _names(share / "firewall")


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("missing", ["named", "gone"])
def test_a_configuration_that_is_missing_is_not_taken_for_a_first_start(
    installed: Hotline, missing: str
) -> None:
    if missing == "named":
        installed.environment["IVR_CONFIG"] = str(installed.folder / "queues")
    else:
        (installed.home / "running").mkdir(parents=True)  # something ran here
    done = installed.run("setup")
    assert done.returncode == 1
    assert "shipped configuration was written" not in done.stderr
    assert not (installed.folder / "queues").exists()
