"""Where things are: folders, ports, the database, the Asterisk program.

Read once from the environment (``IVR_*``) and from ``ivr.toml`` in the working folder; the
environment wins.  This module only tells places; it creates nothing and asks nobody.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ivr.home.settings_faults import PREFIX, SettingFault, SettingsError, Unusable, fault_of

__all__ = ["TOML_FILE", "Settings", "SettingsError", "load", "load_to_judge", "load_to_look"]

TOML_FILE = "ivr.toml"
_SIGNS = ",^&()|;\"'\\"
"""What Asterisk's files and its dialplan would cut a path at."""
_NODE = re.compile(r"[A-Za-z0-9]{1,12}")
_UNIX_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path, without the closing NUL


def _named(folder: object) -> object:
    """Refuse a folder without a name: its files would lie about in whatever folder somebody is in."""
    if isinstance(folder, str) and not folder.strip():
        raise Unusable("write the path of a folder", "请写目录路径")
    if isinstance(folder, str) and folder != folder.strip():
        raise Unusable("remove the blanks at its ends", "请去掉首尾空白")
    return folder


def _absolute(path: Path) -> Path:
    try:
        path = path.expanduser().absolute()
        str(path).encode()
    except RuntimeError as error:
        raise Unusable("there is no such user", "没有这个用户") from error
    except UnicodeEncodeError as error:
        raise Unusable("write it in UTF-8", "请用 UTF-8 编码") from error
    if bad := set(str(path)) & set(_SIGNS) or {
        sign for sign in str(path) if ord(sign) < 32 or ord(sign) == 127
    }:
        told = " ".join(sorted(sign if sign.isprintable() else repr(sign) for sign in bad))
        raise Unusable(
            f"Asterisk cannot use a path with {told} in it ({path}); rename the folder or choose another",
            f"Asterisk 无法使用含有 {told} 的路径（{path}）；请给目录改名或另选目录",
        )
    return path


def _port_range(value: object) -> object:
    if isinstance(value, str):
        first, dash, last = value.partition("-")
        if not dash:
            raise Unusable(
                "write two ports with a dash, for example 10000-11599",
                "请写以短横线相连的两个端口，如 10000-11599",
            )
        return (first.strip(), last.strip())
    return value


def _even_and_wide(ports: tuple[int, int]) -> tuple[int, int]:
    first, last = ports
    if not 1024 <= first < last <= 65535 or last - first < 9:
        raise Unusable(
            "write at least 10 ports between 1024 and 65535, the lower one first",
            "请在 1024 至 65535 之间写至少 10 个端口，小的在前",
        )
    return ports


def _ipv4(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError as error:
        raise Unusable(
            "write an IPv4 address of this machine, for example 192.0.2.10, or 0.0.0.0",
            "请写本机的 IPv4 地址，如 192.0.2.10，或写 0.0.0.0",
        ) from error


def _node(value: str) -> str:
    if not _NODE.fullmatch(value):
        raise Unusable("write up to 12 letters and digits, for example 2", "请写不超过 12 个字母或数字，如 2")
    return value


def _yes_no_or_unset(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError as error:
        raise Unusable(
            "write yes or no, or unset it: then IVR_BIND decides",
            "请写 yes 或 no，或取消该设置，由 IVR_BIND 决定",
        ) from error


Folder = Annotated[Path, BeforeValidator(_named), AfterValidator(_absolute)]
Port = Annotated[int, Field(ge=1, le=65535)]
PortRange = Annotated[tuple[int, int], BeforeValidator(_port_range), AfterValidator(_even_and_wide)]


class Settings(BaseSettings):
    """All settings of one instance; the names are those of the environment without ``IVR_``."""

    model_config = SettingsConfigDict(
        env_prefix="IVR_", toml_file=TOML_FILE, extra="ignore", frozen=True, enable_decoding=False
    )

    home: Folder = Path("var")
    config: Folder = Path("queues")
    recordings: Folder = Path("recordings")
    database_url: str = ""
    node: Annotated[str, AfterValidator(_node)] = "1"
    asterisk: str = ""
    asterisk_root: Folder = Path("~/.cache/ivr12345/asterisk")
    bind: Annotated[str, AfterValidator(_ipv4)] = "127.0.0.1"
    sip_port: Port = 5060
    sip_tcp: bool = False
    ami_port: Port = 5038
    agi_port: Port = 4573
    http_port: Port = 8088
    audiosocket_port: Port = 9092
    rtp_ports: PortRange = (10000, 11599)
    vosk_model: str = ""
    ami_host: str = ""
    ami_user: str = "ivr12345"
    ami_secret: str = ""
    asterisk_logs: str = ""
    language: str = ""
    survey: bool = True
    callback_retry_s: Annotated[float, Field(ge=1, le=3600)] = 120.0
    unattended_s: Annotated[float, Field(ge=1, le=3600)] = 20.0
    strict_rtp: Annotated[bool | None, WrapValidator(_yes_no_or_unset)] = None
    phone_check_s: Annotated[int, Field(ge=0, le=3600)] | None = None

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_: object,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, ``ivr.toml``."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def database(self) -> str:
        """The SQLAlchemy async URL of the database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.home / 'hotline.sqlite3'}"

    @property
    def external_asterisk(self) -> bool:
        """Whether the city runs Asterisk itself and we only attach over AMI."""
        return self.asterisk == "external"

    @property
    def keeps_to_first_media(self) -> bool:
        """Whether a party's voice is taken only from the address it came from first: unset, where strangers can send."""
        if self.strict_rtp is not None:
            return self.strict_rtp
        return not ipaddress.IPv4Address(self.bind).is_loopback

    @property
    def asterisk_home(self) -> Path:
        """The folder with this instance's Asterisk files."""
        return self.home / "asterisk"

    @property
    def running_config(self) -> Path:
        """The copy of the configuration that runs."""
        return self.home / "running"

    @property
    def versions(self) -> Path:
        """Every configuration that ever ran, and the history of changes."""
        return self.home / "versions"

    @property
    def logs(self) -> Path:
        """The folder of every log."""
        return self.home / "log"

    @property
    def spool(self) -> Path:
        """Where the AGI scripts leave notes while the engine is away."""
        return self.home / "spool"

    @property
    def journal(self) -> Path:
        """Where every event is written before the database sees it."""
        return self.home / "journal"

    @property
    def pids(self) -> Path:
        """The folder of pid files and of the lock: always in the home, by whatever path that is reached."""
        return self.home / "run"

    @property
    def run(self) -> Path:
        """The folder of sockets; short enough for a Unix socket path."""
        run = self.home / "run"
        if len(os.fsencode(f"{run}-proof/asterisk.ctl")) <= _UNIX_PATH_LIMIT:
            return run
        digest = hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"ivr12345-{os.getuid()}-{digest}"

    def ports(self) -> dict[str, int]:
        """TCP and UDP ports by the setting that names them."""
        return {
            "IVR_SIP_PORT": self.sip_port,
            "IVR_AMI_PORT": self.ami_port,
            "IVR_AGI_PORT": self.agi_port,
            "IVR_HTTP_PORT": self.http_port,
            "IVR_AUDIOSOCKET_PORT": self.audiosocket_port,
        }


class _WithoutFile(Settings):
    """The settings of the environment alone."""

    model_config = SettingsConfigDict(toml_file=None)

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_: object,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the file out."""
        return init_settings, env_settings


def load(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: values that cannot be used, each in a sentence that names its setting.
    """
    return _read(Settings, overrides)


def load_to_look() -> Settings:
    """Read the settings for a command that only looks or stops: what cannot be used counts as not set.

    Raises:
        SettingsError: not even the state folder can be known.
    """
    return _usable(None)


def load_to_judge(stand_in: Path) -> Settings:
    """Read what can be read: what cannot be used counts as not set, and so does a file that is no TOML.

    Args:
        stand_in: the state folder where none can be known.
    """
    return _usable(stand_in)


def _usable(stand_in: Path | None) -> Settings:
    kind: type[Settings] = Settings
    values: dict[str, Any] = {}
    while True:
        try:
            return _read(kind, values)
        except SettingsError as error:
            wrong = {fault.setting.removeprefix(PREFIX).lower() for fault in error.faults}
            homeless = TOML_FILE in wrong and not os.environ.get("IVR_HOME")  # it may stand in the file
            if "home" in wrong or homeless:
                if stand_in is None:
                    raise
                values["home"] = stand_in
            if TOML_FILE in wrong:
                kind = _WithoutFile
            values |= {
                name: field.default
                for name, field in Settings.model_fields.items()
                if name in wrong and name not in values
            }


def _read(kind: type[Settings], values: dict[str, Any]) -> Settings:
    try:
        return kind(**values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            [
                SettingFault(
                    TOML_FILE,
                    f"is not TOML: {error}. Mend that line.",
                    f"不是有效的 TOML：{error}。请修改该行。",
                )
            ]
        ) from error
    except ValidationError as error:
        found = {fault.setting: fault for fault in map(fault_of, error.errors())}
        raise SettingsError(found.values()) from error
