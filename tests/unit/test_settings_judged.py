"""What an administrator reads when `ivr up` refuses settings: all at once, each by its name."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ivr.cli.main import main
from ivr.home.judging.door import judge
from ivr.home.settings import Settings, SettingsError, load, load_to_look
from ivr.home.settings_faults import SettingFault

_HALF_WIDTH = re.compile(r"[\u4e00-\u9fff\uff09\u201d][,;:?!()]|[,;:?!()][\u4e00-\u9fff\uff08\u201c]")


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a configuration, and no setting."""
    for name in list(os.environ):
        if name.upper().startswith("IVR_") or name.startswith("PG"):
            monkeypatch.delenv(name)
    folder = tmp_path / "work"
    (folder / "queues").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def faults(monkeypatch: pytest.MonkeyPatch, **settings: str) -> tuple[SettingFault, ...]:
    """Judge the settings, and hold every sentence to the rules of the house."""
    before = sorted(Path.cwd().rglob("*"))
    for name, value in settings.items():
        monkeypatch.setenv(f"IVR_{name}", value)
    found = judge()
    assert sorted(Path.cwd().rglob("*")) == before, "nothing is left behind"
    for fault in (*found.faults, *found.advice):
        for sentence in (fault.sentence, fault.sentence_zh):
            assert sentence.startswith(fault.setting)
            assert "\n" not in sentence
        assert re.search(r"[\u4e00-\u9fff]", fault.sentence_zh), fault.sentence_zh
        assert fault.sentence_zh.endswith(("\u3002", "\uff1f"))
        assert not _HALF_WIDTH.search(fault.sentence_zh), fault.sentence_zh
        assert not re.search(r"[\u4e00-\u9fff]", fault.en), fault.en
    return found.faults


def test_settings_as_shipped_are_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch) == ()
    assert judge().advice == ()


def test_the_settings_of_the_guides_service_are_not_refused(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = faults(
        monkeypatch, HOME=str(empty / "state"), RECORDINGS=str(empty / "state/recordings"),
        ASTERISK_ROOT=str(empty / "state/asterisk-root"), BIND="0.0.0.0", LANGUAGE="zh",
        DATABASE_URL="postgresql+asyncpg://ivr:password@127.0.0.1/ivr",
    )  # fmt: skip
    assert found == ()


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("HOME", "", "empty"),
        ("HOME", "  ", "path"),
        ("CONFIG", "", "empty"),
        ("RECORDINGS", "", "empty"),
        ("ASTERISK_ROOT", "", "empty"),
        ("HOME", " /srv/hotline", "blanks"),
        ("HOME", "~nobody-of-this-name/x", "no such user"),
        ("HOME", "/proc/x", "written"),
        ("HOME", "/sys/x", "written"),
        ("RECORDINGS", "/etc/passwd", "file in the way"),
        ("RECORDINGS", "/etc/passwd/x", "file in the way"),
        ("RECORDINGS", "/proc/x", "written"),
        ("HOME", "/srv/hot[line]", "[ ]"),
        ("HOME", "/srv/{hot}line", "{ }"),
        ("HOME", "/srv/$hotline", "$"),
        ("HOME", "/srv/hot*line", "*"),
        ("HOME", "/srv/hotline?", "?"),
        ("HOME", "/srv/hot;line", ";"),
        ("HOME", "/srv/hot\tline", "Asterisk"),
        ("RECORDINGS", "/srv/${recordings}", "$ { }"),
        ("HOME", "/srv/" + "/".join(["h" * 50] * 8), "bytes"),
        ("RECORDINGS", "/srv/" + "/".join(["r" * 50] * 20), "bytes"),
        ("CONFIG", "/nonexistent", "no such folder"),
        ("CONFIG", "/etc/passwd", "no such folder"),
        ("BIND", "192.0.2.77", "no address of this machine"),
        ("BIND", "224.0.0.1", "no address of this machine"),
        ("BIND", "hotline.example", "IPv4"),
        ("SIP_PORT", "sixty", "whole number"),
        ("SIP_PORT", "0", "1 or more"),
        ("SIP_PORT", "65536", "65535 or less"),
        ("SIP_PORT", "443", "1024"),
        ("AGI_PORT", "22", "1024"),
        ("HTTP_PORT", "", "empty"),
        ("AGI_PORT", "5038", "IVR_AMI_PORT"),
        ("RTP_PORTS", "5000-5999", "IVR_SIP_PORT"),
        ("RTP_PORTS", "10001-10999", "10002"),
        ("RTP_PORTS", "10000", "two ports"),
        ("RTP_PORTS", "10999-10000", "lower one first"),
        ("SURVEY", "perhaps", "yes or no"),
        ("STRICT_RTP", "auto", "yes or no"),
        ("STRICT_RTP", "", "empty"),
        ("UNATTENDED_S", "soon", "number"),
        ("UNATTENDED_S", "nan", "or less"),
        ("LANGUAGE", "klingon", "zh or en"),
        ("AMI_USER", "", "letters"),
        ("AMI_USER", "a]b", "letters"),
        ("AMI_USER", "general", "general"),
        ("AMI_SECRET", "one two", "manager.conf"),
        ("AMI_SECRET", "x;y", "manager.conf"),
        ("AMI_HOST", "192.0.2.1", "127.0.0.1"),
        ("ASTERISK", "/nonexistent/asterisk", "no program"),
        ("ASTERISK", "/etc", "no program"),
        ("ASTERISK", "/etc/passwd", "no program"),
        ("ASTERISK", sys.executable, "no Asterisk"),
        ("VOSK_MODEL", "/etc", "no vosk model"),
        ("VOSK_MODEL", "/etc/passwd", "no vosk model"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_its_name(
    name: str, value: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [fault] = faults(monkeypatch, **{name: value})
    assert fault.setting == f"IVR_{name}"
    assert word in fault.sentence


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("nonsense", "no URL"),
        ("mysql://x", "kind of database"),
        ("mysql+aiomysql://u:hush@h/db", "kind of database"),
        ("oracle://u:hush@h/db", "kind of database"),
        ("postgresql://u:hush@h/db", "postgresql+asyncpg://"),
        ("postgres://u:hush@h/db", "postgresql+asyncpg://"),
        ("postgresql+psycopg2://u:hush@h/db", "postgresql+asyncpg://"),
        ("sqlite:////srv/hotline.sqlite3", "sqlite+aiosqlite://"),
        ("sqlite+aiosqlite://", "names no file"),
        ("sqlite+aiosqlite:///:memory:", "names no file"),
        ("sqlite+aiosqlite:///file::memory:?uri=true&cache=shared", "names no file"),
        ("sqlite+aiosqlite:///tickets.sqlite3", "relative"),
        ("sqlite+aiosqlite:////nonexistent/tickets.sqlite3", "no folder"),
        ("sqlite+aiosqlite:////tmp", "a folder"),
        ("sqlite+aiosqlite:////etc/passwd", "no SQLite database"),
        ("sqlite+aiosqlite:////etc/passwd/x", "no folder"),
        (" postgresql+asyncpg://u:hush@h/db", "blanks"),
        ("postgresql+asyncpg://u:hush@h:hush/db", "no URL"),
        ("postgresql+asyncpg://u:hush@h:99999/db", "port"),
        ("postgresql+asyncpg://u:hu@hush@h/db", "%40"),
        ("postgresql+asyncpg://u:hush@h/db?sslmode=require", "ssl"),
        ("postgresql+asyncpg://u:hush@h/db?ssl=perhaps", "verify-full"),
        ("postgresql+asyncpg://u:hush@h/db?pool=3", "pool"),
        ("postgresql+asyncpg://u:hush@h/db?target_session_attrs=master", "read-write"),
        ("postgresql+asyncpg://u:hush@h/db?target_session_attrs=standby", "primary"),
    ],
)
def test_a_database_that_nobody_can_open_is_refused_and_its_password_told_nowhere(
    url: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [fault] = faults(monkeypatch, DATABASE_URL=url)
    assert fault.setting == "IVR_DATABASE_URL"
    assert word in fault.sentence
    assert "hush" not in fault.sentence + fault.sentence_zh


_HOSTS = "host=a:5432&host=b:5433"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+asyncpg://u:hush@/db?{_HOSTS}",
        f"postgresql+asyncpg://u:hush@/db?{_HOSTS}&target_session_attrs=any",
        f"postgresql+asyncpg://u:hush@/db?{_HOSTS}&target_session_attrs=prefer-standby",
        "postgresql+asyncpg://u:hush@/db?host=a,b&port=5432,5433",
        "postgresql+asyncpg://u:hush@a:5432,b:5433/db",
        "postgresql+asyncpg://u:hu,sh@a:5432,b:5433/db?target_session_attrs=primary",
    ],
)
def test_of_several_database_servers_the_one_that_may_be_written_must_be_asked_for(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [fault] = faults(monkeypatch, DATABASE_URL=url)
    right = f"postgresql+asyncpg://USER:PASSWORD@/DATABASE?{_HOSTS}&target_session_attrs=primary"
    assert right in fault.sentence
    assert right in fault.sentence_zh
    assert "hu" not in fault.sentence
    assert faults(monkeypatch, DATABASE_URL=right) == (), "the advice can be followed"


@pytest.mark.parametrize("wanted", ["primary", "read-write"])
def test_several_database_servers_are_taken_as_the_advice_writes_them(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql+asyncpg://u:hush@/db?{_HOSTS}&target_session_attrs={wanted}"
    assert faults(monkeypatch, DATABASE_URL=url) == ()
    monkeypatch.setenv("PGTARGETSESSIONATTRS", wanted)
    assert faults(monkeypatch, DATABASE_URL=f"postgresql+asyncpg://u:hush@/db?{_HOSTS}") == ()


def test_a_database_that_does_not_answer_is_no_fault_of_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, DATABASE_URL="postgresql+asyncpg://u:p@127.0.0.1:1/db") == ()
    file = Path.cwd() / "tickets.sqlite3"
    assert faults(monkeypatch, DATABASE_URL=f"sqlite+aiosqlite:///{file}") == ()


def test_every_fault_is_told_at_once_each_on_a_line_in_the_readers_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = {
        "IVR_SIP_PORT": "x",
        "IVR_RECORDINGS": "/etc/passwd",
        "IVR_DATABASE_URL": "mysql://x",
        "IVR_LANGUAGE": "klingon",
        "IVR_AMI_USER": "",
        "IVR_AGI_PROT": "4573",
    }
    for locale, chinese in (("en_US.UTF-8", False), ("zh_CN.UTF-8", True)):
        done = CliRunner().invoke(main, ["up"], env={**wrong, "LC_ALL": locale})
        assert done.exit_code == 1
        lines = done.stderr.strip().splitlines()
        assert sorted(line.split()[0] for line in lines) == sorted(wrong)
        assert all(bool(re.search(r"[\u4e00-\u9fff]", line)) is chinese for line in lines), lines
    assert not Path("var").exists()


@pytest.mark.parametrize("home", ["", "  ", " /srv/hotline", "~nobody-of-this-name/x"])
def test_a_state_folder_that_cannot_be_used_hides_no_other_settings_fault(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "HOME": home,
        "SIP_PORT": "443",
        "BIND": "192.0.2.77",
        "CONFIG": "/nonexistent",
        "RECORDINGS": "/etc/passwd",
        "DATABASE_URL": "mysql://x",
        "LANGUAGE": "klingon",
        "AGI_PORT": "x",
    }
    found = [fault.setting for fault in faults(monkeypatch, **wrong)]
    assert sorted(found) == sorted(f"IVR_{name}" for name in wrong)


@pytest.mark.parametrize("home", ["", "var"])
def test_a_file_that_is_no_toml_hides_no_fault_of_the_environment_and_makes_none_up(
    home: str, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty / "ivr.toml").write_text('config = "elsewhere"\nsip_port = \n')
    (empty / "queues").rename(empty / "elsewhere")
    wrong = {"RECORDINGS": "/etc/passwd", "AGI_PORT": "22", "LANGUAGE": "klingon"}
    if home:
        wrong["HOME"] = home
    found = [fault.setting for fault in faults(monkeypatch, **wrong)]
    assert sorted(found) == sorted(["ivr.toml", *(f"IVR_{name}" for name in wrong if name != "HOME")])


@pytest.mark.parametrize(
    "words", [["up"], ["up", "--detach"], ["setup"], ["status"], ["down"], ["tickets", "list"]]
)
@pytest.mark.parametrize("name", ["IVR_HOME", "IVR_RECORDINGS", "IVR_CONFIG"])
def test_an_empty_folder_scatters_nothing_into_the_working_folder(
    name: str, words: list[str], empty: Path
) -> None:
    done = CliRunner().invoke(main, words, env={name: "", "LC_ALL": "C"})
    if words in (["status"], ["down"]) and name != "IVR_HOME":
        assert name not in done.stderr, "looking and stopping need the state folder alone"
    else:
        assert done.exit_code == 1
        assert f"{name} is empty" in done.stderr
    assert [path.name for path in empty.iterdir()] == ["queues"]


def test_a_misspelt_setting_is_refused_with_the_name_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    [fault] = faults(monkeypatch, SIP_PROT="5070")
    assert fault.setting == "IVR_SIP_PROT"
    assert "did you mean IVR_SIP_PORT?" in fault.sentence


def test_a_name_of_a_newer_version_or_of_somebody_else_is_only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, TLS_CERT="/etc/cert.pem", BILLING_ACCOUNT="7") == ()
    assert [advice.setting for advice in judge().advice] == ["IVR_BILLING_ACCOUNT", "IVR_TLS_CERT"]


def test_a_misspelt_name_in_the_file_is_refused_too(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty / "ivr.toml").write_text('sip_prot = 5070\nIVR_BIND = "127.0.0.1"\nmotto = "x"\n')
    found = faults(monkeypatch)
    assert [fault.setting for fault in found] == ["sip_prot (ivr.toml)", "IVR_BIND (ivr.toml)"]
    assert "did you mean bind?" in found[1].sentence
    assert [advice.setting for advice in judge().advice] == ["motto (ivr.toml)"]


@pytest.mark.parametrize("content", [b"sip_port = \n", b"\xff\xfe", b"[["])
def test_a_file_that_is_no_toml_is_refused(
    content: bytes, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty / "ivr.toml").write_bytes(content)
    [fault] = faults(monkeypatch)
    assert fault.setting == "ivr.toml"


def test_a_secret_in_the_wrong_place_is_not_told(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty / "ivr.toml").write_text("ami_secret = 19374651\ndatabase_url = 19374651\n")
    found = faults(monkeypatch)
    assert {fault.setting for fault in found} == {"IVR_AMI_SECRET", "IVR_DATABASE_URL"}
    assert not any("19374651" in fault.sentence + fault.sentence_zh for fault in found)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"HOME": "queues/var"}, "IVR_HOME"),
        ({"RECORDINGS": "queues/prompts"}, "IVR_RECORDINGS"),
        ({"RECORDINGS": "var"}, "IVR_RECORDINGS"),
        ({"RECORDINGS": "var/asterisk/spool"}, "IVR_RECORDINGS"),
        ({"RECORDINGS": "var/log"}, "IVR_RECORDINGS"),
        ({"ASTERISK_ROOT": "var/asterisk"}, "IVR_ASTERISK_ROOT"),
        ({"ASTERISK_ROOT": "root", "HOME": "root/var"}, "IVR_HOME"),
        ({"ASTERISK_ROOT": "root", "RECORDINGS": "root/recordings"}, "IVR_RECORDINGS"),
    ],
)
def test_a_folder_where_another_ones_files_are_made_or_deleted_is_refused(
    settings: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [fault.setting for fault in faults(monkeypatch, **settings)] == [name]


@pytest.mark.parametrize("name", ["HOME", "RECORDINGS"])
def test_a_path_is_as_long_as_asterisk_can_use_and_no_longer(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/srv/" + "深" * 68  # 3 bytes each
    assert len(path.encode()) == 209
    assert faults(monkeypatch, **{name: path + "x"}) == ()
    [fault] = faults(monkeypatch, **{name: path + "xx"})
    assert fault.setting == f"IVR_{name}"
    assert "211 bytes" in fault.sentence


def test_recordings_may_lie_in_the_state_folder_beside_what_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, RECORDINGS="var/recordings", ASTERISK_ROOT="var/root") == ()
    assert faults(monkeypatch, HOME="queues/../var") == ()


def test_a_folder_with_other_things_is_never_replaced_by_an_asterisk(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ivr.asterisk.install.installation import InstallationError, Programs

    (empty / "mine").mkdir()
    (empty / "mine/letters.txt").touch()
    monkeypatch.setenv("PATH", str(empty))
    [fault] = faults(monkeypatch, ASTERISK_ROOT="mine")
    assert fault.setting == "IVR_ASTERISK_ROOT"
    assert "letters.txt" in fault.sentence
    with pytest.raises(InstallationError, match=r"letters\.txt"):
        Programs(empty / "mine", ("asterisk",), "usr/sbin/asterisk")._extract([], print)
    assert (empty / "mine/letters.txt").exists()


@pytest.mark.parametrize("root", ["/etc/passwd", "/proc/asterisk"])
def test_an_asterisk_that_has_to_be_unpacked_needs_a_place(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    [fault] = faults(monkeypatch, ASTERISK_ROOT=root)
    assert fault.setting == "IVR_ASTERISK_ROOT"


def test_a_link_into_the_configuration_is_no_way_around(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty / "link").symlink_to("queues")
    [fault] = faults(monkeypatch, HOME="link/var")
    assert fault.setting == "IVR_HOME"
    (empty / "nowhere").symlink_to("gone")
    [fault] = faults(monkeypatch, HOME="nowhere")
    assert fault.setting == "IVR_HOME"


@pytest.mark.parametrize(
    ("number", "refused_new", "refused_old"),
    [(errno.ENOSPC, True, False), (errno.EROFS, True, False), (errno.EACCES, True, True)],
)
def test_a_full_disk_stops_a_new_hotline_but_not_one_that_has_been_running(
    number: int, refused_new: bool, refused_old: bool, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty / "recordings").mkdir()
    (empty / "var").mkdir()

    def refuses(dir: Path) -> contextlib.AbstractContextManager[object]:
        if Path(dir).name == "recordings":
            raise OSError(number, os.strerror(number))
        return contextlib.closing((Path(dir) / "probe").open("w"))

    monkeypatch.setattr("tempfile.TemporaryFile", refuses)
    assert [fault.setting for fault in judge().faults] == ["IVR_RECORDINGS"] * refused_new
    (empty / "var/secrets.json").write_text("{}")
    assert [fault.setting for fault in judge().faults] == ["IVR_RECORDINGS"] * refused_old
    assert bool(judge().advice) is not refused_old


def test_a_hotline_that_ran_before_starts_without_the_folder_that_administrators_edit(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty / "var/running").mkdir(parents=True)
    assert faults(monkeypatch, CONFIG="/nonexistent") == ()


def test_a_speech_model_that_is_gone_or_damaged_keeps_no_hotline_from_starting(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty / "model/am").mkdir(parents=True)
    assert faults(monkeypatch, VOSK_MODEL=str(empty / "model")) == ()
    assert faults(monkeypatch, VOSK_MODEL=str(empty / "gone")) == ()


def test_a_folder_that_this_user_may_not_look_into_is_a_sentence_beside_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def closed(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "is_dir", closed)
        patched.setenv("IVR_LANGUAGE", "klingon")
        found = judge().faults
    assert {"IVR_LANGUAGE", "IVR_HOME", "IVR_RECORDINGS"} <= {fault.setting for fault in found}


# -- a city's own Asterisk -----------------------------------------------------------------------
@contextlib.contextmanager
def somebody_listens(says: bytes) -> Iterator[str]:
    """Listen on a port and greet whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = server.accept()
                    with line:
                        line.sendall(says)

        threading.Thread(target=greet, daemon=True).start()
        yield str(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def test_a_citys_asterisk_must_be_there_to_attach_to(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attached = {"ASTERISK": "external", "ASTERISK_LOGS": str(empty)}
    with somebody_listens(b"Asterisk Call Manager/11.0.0\r\n") as port:
        assert faults(monkeypatch, AMI_PORT=port, **attached) == ()
        [fault] = faults(monkeypatch, ASTERISK_LOGS=str(empty / "none"))
        assert fault.setting == "IVR_ASTERISK_LOGS"
    with somebody_listens(b"SSH-2.0-x\r\n") as port:
        [fault] = faults(monkeypatch, AMI_PORT=port, **attached)
        assert fault.setting == "IVR_AMI_PORT"
    [fault] = faults(monkeypatch, AMI_PORT=port, **attached)
    assert fault.setting == "IVR_ASTERISK"
    assert port in fault.sentence
    assert judge(starting=False).faults == (), "`ivr setup` may come before the city's Asterisk"
    [fault] = faults(monkeypatch, AMI_HOST="no such host", **attached)
    assert fault.setting == "IVR_AMI_HOST"


# -- looking and stopping ------------------------------------------------------------------------
def test_looking_and_stopping_need_no_setting_but_the_state_folder(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_HOME", str(empty / "here"))
    (empty / "ivr.toml").write_text("[[")
    monkeypatch.setenv("IVR_SIP_PORT", "x")
    monkeypatch.setenv("IVR_CONFIG", "")
    found: Settings = load_to_look()
    assert (found.home, found.sip_port, found.config) == (empty / "here", 5060, empty / "queues")
    with pytest.raises(SettingsError):
        load()
    monkeypatch.delenv("IVR_HOME")
    with pytest.raises(SettingsError, match=r"ivr\.toml"):
        load_to_look()  # which hotline is meant stands in a file that nobody can read
