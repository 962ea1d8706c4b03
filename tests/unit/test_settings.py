"""Where things are, and what an administrator reads when a setting cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ivr.home.settings import SettingsError, load


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("IVR_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = load()
    assert settings.home == tmp_path / "var"
    assert settings.config == tmp_path / "queues"
    assert settings.recordings == tmp_path / "recordings"
    assert settings.database == f"sqlite+aiosqlite:///{tmp_path}/var/hotline.sqlite3"
    assert settings.asterisk == ""
    assert settings.asterisk_root == Path("~/.cache/ivr12345/asterisk").expanduser()
    assert settings.bind == "127.0.0.1"
    assert settings.rtp_ports == (10000, 11599)
    assert settings.ports() == {
        "IVR_SIP_PORT": 5060,
        "IVR_AMI_PORT": 5038,
        "IVR_AGI_PORT": 4573,
        "IVR_HTTP_PORT": 8088,
        "IVR_AUDIOSOCKET_PORT": 9092,
    }
    assert not settings.external_asterisk


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ivr.toml").write_text(
        'home = "from-file"\nsip_port = 6060\nami_port = 6038\nrtp_ports = "20000-20099"\nunknown = 1\n'
    )
    monkeypatch.setenv("IVR_SIP_PORT", "7060")
    monkeypatch.setenv("IVR_ASTERISK", "external")
    settings = load(agi_port=9999)
    assert settings.sip_port == 7060
    assert settings.ami_port == 6038
    assert settings.agi_port == 9999
    assert settings.http_port == 8088
    assert settings.home == tmp_path / "from-file"
    assert settings.rtp_ports == (20000, 20099)
    assert settings.external_asterisk


def test_one_folder_and_one_url_move_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_HOME", "~/热线 one")
    monkeypatch.setenv("IVR_DATABASE_URL", "postgresql+asyncpg://u:p@h/db")
    settings = load()
    home = Path("~").expanduser() / "热线 one"
    assert settings.home == home
    for place in (settings.asterisk_home, settings.logs, settings.spool, settings.journal, settings.run):
        assert place.is_relative_to(home)
    assert settings.database == "postgresql+asyncpg://u:p@h/db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IVR_SIP_PORT", "sixty"),
        ("IVR_SIP_PORT", "0"),
        ("IVR_AMI_PORT", "65536"),
        ("IVR_HTTP_PORT", ""),
        ("IVR_RTP_PORTS", "10000"),
        ("IVR_RTP_PORTS", "10999-10000"),
        ("IVR_RTP_PORTS", "10000-10002"),
        ("IVR_RTP_PORTS", "80-999"),
        ("IVR_RTP_PORTS", "a-b"),
        ("IVR_RTP_PORTS", "60000-70000"),
        ("IVR_BIND", "::1"),
        ("IVR_BIND", "hotline.example"),
        ("IVR_STRICT_RTP", "auto"),
        ("IVR_STRICT_RTP", ""),
    ],
)
def test_a_bad_value_is_named_with_its_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load()
    assert name in refused.value.sentence
    assert refused.value.code == "settings"


def test_every_bad_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_SIP_PORT", "x")
    monkeypatch.setenv("IVR_AMI_PORT", "y")
    with pytest.raises(SettingsError, match=r"(?s)IVR_SIP_PORT.*IVR_AMI_PORT|IVR_AMI_PORT.*IVR_SIP_PORT"):
        load()


@pytest.mark.parametrize(
    ("bind", "written", "strict"),
    [
        ("127.0.0.1", None, False),
        ("127.0.0.2", None, False),
        ("0.0.0.0", None, True),
        ("192.0.2.10", None, True),
        ("127.0.0.1", "yes", True),
        ("0.0.0.0", "no", False),
        ("192.0.2.10", "false", False),
    ],
)
def test_a_voice_may_move_where_no_stranger_can_send_or_where_the_city_says_so(
    bind: str, written: str | None, strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_BIND", bind)
    if written is not None:
        monkeypatch.setenv("IVR_STRICT_RTP", written)
    assert load().keeps_to_first_media is strict


@pytest.mark.parametrize("length", [10, 80, 200, 1000])
def test_however_long_the_home_is_a_socket_fits_into_the_run_folder(tmp_path: Path, length: int) -> None:
    home = tmp_path / "/".join(["h" * 50] * (length // 50 + 1))
    run = load(home=home).run
    assert len(os.fsencode(run / "asterisk.ctl")) <= 107
    assert load(home=home).run == run
    assert run != load(home=home.with_name("other" * 20)).run


def test_two_homes_with_long_names_never_share_a_run_folder(tmp_path: Path) -> None:
    homes = [tmp_path / ("深" * 60) / str(n) for n in range(50)]
    assert len({load(home=home).run for home in homes}) == 50


@pytest.mark.parametrize("name", ["IVR_HOME", "IVR_RECORDINGS", "IVR_CONFIG", "IVR_ASTERISK_ROOT"])
@pytest.mark.parametrize("sign", list(",^&()|;\"'\\\n"))
def test_a_path_that_the_dialplan_would_cut_in_two_is_refused_before_a_call_is_lost(
    name: str, sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"/srv/hot{sign}line")
    with pytest.raises(SettingsError, match="Asterisk cannot use a path") as refused:
        load()
    assert name in refused.value.sentence


def test_a_working_folder_that_asterisk_cannot_use_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hotline (copy)"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(SettingsError, match="IVR_HOME"):
        load()
