"""Where things are: folders, ports, the database, the Asterisk program.

Read once from the environment (``IVR_*``) and from ``ivr.toml`` in the working folder; the
environment wins.  This module only tells places; it creates nothing and asks nobody.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ivr.errors import HotlineError

TOML_FILE = "ivr.toml"
_UNIX_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path, without the closing NUL


class SettingsError(HotlineError):
    """A setting has a value we cannot use."""

    code = "settings"


def _absolute(path: Path) -> Path:
    path = path.expanduser().absolute()
    if set(str(path)) & set(",^&()|;\"'\\\n"):
        raise ValueError("Asterisk cannot use a path with , ^ & ( ) | ; quotes or backslashes")
    return path


def _port_range(value: object) -> object:
    if isinstance(value, str):
        first, dash, last = value.partition("-")
        if not dash:
            raise ValueError("write two ports with a dash, for example 10000-11599")
        return (first.strip(), last.strip())
    return value


def _even_and_wide(ports: tuple[int, int]) -> tuple[int, int]:
    first, last = ports
    if not 1024 <= first < last <= 65535 or last - first < 9:
        raise ValueError("wants at least 10 ports between 1024 and 65535, the lower one first")
    return ports


def _ipv4(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError as error:
        raise ValueError(
            "wants an IPv4 address of this machine, for example 192.0.2.10, or 0.0.0.0"
        ) from error


Folder = Annotated[Path, AfterValidator(_absolute)]
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
    asterisk: str = ""
    asterisk_root: Folder = Path("~/.cache/ivr12345/asterisk")
    bind: Annotated[str, AfterValidator(_ipv4)] = "127.0.0.1"
    sip_port: Port = 5060
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
    def run(self) -> Path:
        """The folder of sockets and pid files; short enough for a Unix socket path."""
        run = self.home / "run"
        if len(os.fsencode(f"{run}-proof/asterisk.ctl")) <= _UNIX_PATH_LIMIT:
            return run
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
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


def load(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: a value cannot be used; the sentence names each setting.
    """
    try:
        return Settings(**overrides)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{TOML_FILE} is not TOML: {error}. Mend that line.", f"{TOML_FILE} 不是有效的 TOML:{error}。"
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"IVR_{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            f" (it is {fault['input']!r})"
            for fault in error.errors()
        )
        raise SettingsError(
            f"settings: {faults}. Mend the environment or {TOML_FILE}.",
            f"设置有误:{faults}。请修改环境变量或 {TOML_FILE}。",
        ) from error
