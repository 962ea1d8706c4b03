"""Find an Asterisk program, or unpack Debian's into a folder of our own.

An installed Asterisk from version 20 on is preferred.  Otherwise Debian's package and its
libraries are unpacked with apt-get and dpkg-deb alone: nothing is installed on the host, no root
is needed, and the mirror is the one the machine's own apt uses.  This module never starts a call
server; it only tells how one would be started.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import HotlineError

OLDEST = 20
UNPACKED = "unpacked"
"""In place of a program's path: ours, whatever is installed."""
SUITE = "forky"  # Debian 12 and 13 carry no asterisk package
_SKIPPED_PACKAGES = re.compile(
    r"^(perl-modules|perl-base|dirmngr|gnupg|gpg|pinentry|debconf|login|passwd|adduser|tzdata"
    r"|pci\.ids|libsnmp-base|openssl-provider)"
)
_TOP_FOLDERS = frozenset(
    {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "usr", "var", "run", "opt", "srv", "lost+found"}
)
"""What Debian's packages bring at the top of a root (with a file system's own)."""
_PROGRAM = "usr/sbin/asterisk"
_PROBE_S = 20
_SKIPPED_FILES = ("doc", "man", "locale", "lintian")
_APT_CONF = """\
Dir::State "{work}/state"; Dir::State::status "{work}/status"; Dir::Cache "{work}/cache";
Dir::Etc "{work}/etc"; Dir::Etc::sourceparts "-";
Acquire::Check-Valid-Until "false"; Acquire::Languages "none"; Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11 {{ DefaultEnabled "false"; }};
APT::Install-Recommends "false"; APT::Sandbox::User "root";
Binary::apt-get::APT::Keep-Downloaded-Packages "true";
"""

Progress = Callable[[str], None]


class InstallationError(HotlineError):
    """There is no Asterisk we can run, and none could be unpacked."""

    code = "asterisk_missing"


@dataclass(frozen=True)
class Installation:
    """How to run one Asterisk program.

    Attributes:
        command: the program and what must stand before its own arguments.
        modules: the folder of its ``.so`` modules.
        share: the folder with ``documentation`` (Asterisk exits at boot without it).
        version: for example ``22.10.1``.
    """

    command: tuple[str, ...]
    modules: Path
    share: Path
    version: str


def find(program: str, root: Path, progress: Progress, *, unpack: bool = True) -> Installation:
    """Find the Asterisk to run.

    Args:
        program: the path the administrator named, ``unpacked`` for ours, or empty to look for one.
        root: where an unpacked Asterisk lives, shared by all instances.
        progress: told one line per step that takes time.
        unpack: whether to fetch Debian's when there is none.

    Raises:
        InstallationError: with what to install or set.
    """
    if program and program != UNPACKED:
        return _named(program)
    installed = None if program else shutil.which("asterisk")
    if installed:
        found = _probe((installed,), Path("/"))
        if found and major(found.version) >= OLDEST:
            return found
    found = unpacked(root)
    if found is None and unpack:
        _debian(root).command(progress)
        found = unpacked(root)
    if found is None:
        raise InstallationError(
            f"no Asterisk from version {OLDEST} on was found and none is unpacked in {root}: "
            "run `ivr setup`, install the package asterisk, or set IVR_ASTERISK to its path.",
            f"没有找到 {OLDEST} 及以上版本的 Asterisk，{root} 中也没有解包的版本："
            "请运行 ivr setup、安装 asterisk 软件包，或把 IVR_ASTERISK 设为它的路径。",
        )
    return found


def major(version: str) -> int:
    """Return the first number of a version, 0 when there is none."""
    match = re.match(r"\d+", version)
    return int(match.group()) if match else 0


def unpacked(root: Path) -> Installation | None:
    """Return the Asterisk unpacked in ``root``, if it is whole and starts."""
    command = _debian(root).present()
    return _probe(command, root) if command else None


def needs_unpacking(root: Path, program: str = "") -> bool:
    """Tell whether there is neither an installed Asterisk that counts nor one in ``root``."""
    return (program == UNPACKED or shutil.which("asterisk") is None) and _debian(root).present() is None


def words_of(arguments: list[str]) -> tuple[str, ...]:
    """Return the words of a process's command line by which Asterisk is run, none where it is none."""
    last = 3 if arguments and Path(arguments[0]).name.startswith("ld-linux") else 0
    if last < len(arguments) and Path(arguments[last]).name == "asterisk":
        return tuple(arguments[: last + 1])
    return ()


def run_by(words: tuple[str, ...]) -> Installation | None:
    """Return the Asterisk that these words run, None where it cannot be run from here."""
    program = Path(words[-1] if words else "")
    if not program.is_absolute() or not program.is_file():
        return None
    roots = dict.fromkeys((program.parents[min(2, len(program.parents) - 1)], Path("/")))
    return next((found for root in roots if (found := _probe(words, root))), None)


def program_in(root: Path) -> Path:
    """Return where the program of an Asterisk unpacked in ``root`` lies."""
    return root / _PROGRAM


def strangers_in(root: Path) -> list[str]:
    """Return the names in ``root`` that no unpacked package has there: unpacking would delete them.

    Raises:
        OSError: it cannot be read.
    """
    if not root.is_dir():
        return []
    return sorted(path.name for path in root.iterdir() if path.name not in _TOP_FOLDERS)


def check_named(program: str) -> None:
    """Check that the administrator named a program we can run.

    Raises:
        InstallationError: with what to name instead.
    """
    _named(program)


def _debian(root: Path) -> Programs:
    return Programs(root, ("asterisk",), _PROGRAM)


def _named(program: str) -> Installation:
    path = Path(program).expanduser()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise InstallationError(
            f"IVR_ASTERISK names {program}, which is no program; name an asterisk program or `external`.",
            f"IVR_ASTERISK 所指的 {program} 不是程序；请填 asterisk 程序的路径，或 external。",
        )
    found = _probe((str(path.absolute()),), Path("/"))
    if found is None:
        raise InstallationError(
            f"IVR_ASTERISK names {program}, which is no Asterisk with its modules and documentation; name another "
            "program or `external`.",
            f"IVR_ASTERISK 所指的 {program} 不是带有模块和文档的 Asterisk；请填其他程序，或 external。",
        )
    if major(found.version) < OLDEST:
        raise InstallationError(
            f"IVR_ASTERISK names {program}, which is version {found.version}; {OLDEST} or newer is needed.",
            f"IVR_ASTERISK 所指的 {program} 版本为 {found.version}，需要 {OLDEST} 及以上。",
        )
    return found


def _probe(command: tuple[str, ...], root: Path) -> Installation | None:
    """Ask the program for its version and find its folders; None if it does not run."""
    try:
        answer = subprocess.run(
            [*command, "-V"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"Asterisk\s+(?:certified/)?(\d[\w.+~-]*)", answer.stdout)
    candidates = [*root.glob("usr/lib/*/asterisk/modules"), root / "usr/lib/asterisk/modules"]
    modules = next((path for path in candidates if (path / "app_queue.so").exists()), None)
    shares = (root / "usr/share/asterisk", root / "var/lib/asterisk")
    share = next((path for path in shares if (path / "documentation").exists()), None)
    if not match or modules is None or share is None:
        return None
    return Installation(command, modules, share, match.group(1).split("+")[0].split("~")[0])


class Programs:
    """Debian packages unpacked in a folder of their own, run through their own loader.

    Args:
        root: the folder.
        packages: Debian packages; what they depend on comes along.
        program: the program in it, relative to ``root``.
    """

    def __init__(self, root: Path, packages: tuple[str, ...], program: str) -> None:
        self.root = root
        self._packages = packages
        self._program = program

    def present(self, root: Path | None = None) -> tuple[str, ...] | None:
        """Return the command if the program is there."""
        root = root or self.root
        loaders = sorted(root.glob("usr/lib*/ld-linux*.so*")) + sorted(root.glob("usr/lib/*/ld-linux*.so*"))
        libraries = [str(path.parent) for path in root.glob("usr/lib/*/libc.so.6")]
        if not (root / self._program).exists() or not loaders or not libraries:
            return None
        return (str(loaders[0]), "--library-path", ":".join(libraries), str(root / self._program))

    def command(self, progress: Progress) -> tuple[str, ...]:
        """Return the command that runs the program, unpacking it first where it is missing.

        Raises:
            InstallationError: it cannot be fetched, or does not fit this machine.
        """
        if (found := self.present()) is None:
            _require_tools(self._packages[0])
            with _only_one(self.root), _readable():
                if (found := self.present()) is None:
                    with tempfile.TemporaryDirectory(prefix="ivr12345-") as work:
                        self._extract(_download(self._packages, Path(work), progress), progress)
                    found = self.present()
        if found is None:
            raise InstallationError(
                f"Debian's {self._packages[0]} was unpacked but is not whole; install it yourself."
            )
        return found

    def _extract(self, debs: list[Path], progress: Progress) -> None:
        """Unpack beside ``root`` and rename at the end: a broken run leaves nothing half."""
        if strangers := strangers_in(self.root):
            raise InstallationError(
                f"{self.root} holds other things ({', '.join(strangers[:3])}) and would be replaced; "
                "name an empty or new folder.",
                f"{self.root} 中有其他内容（{'、'.join(strangers[:3])}），解包时会被替换；请写空目录或新目录。",
            )
        fresh = Path(tempfile.mkdtemp(prefix=f"{self.root.name}.", dir=self.root.parent))
        fresh.chmod(0o755)
        for folder in ("bin", "sbin", "lib", "lib64"):
            (fresh / "usr" / folder).mkdir(parents=True)
            (fresh / folder).symlink_to(f"usr/{folder}")
        wanted = [deb for deb in debs if not _SKIPPED_PACKAGES.match(deb.name)]
        excludes = [f"--exclude=./usr/share/{name}*" for name in _SKIPPED_FILES]
        for count, deb in enumerate(wanted, 1):
            if count % 20 == 1 or count == len(wanted):
                progress(f"{self._packages[0]} 3/3: unpacking {count} of {len(wanted)} packages")
            with subprocess.Popen(
                ["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE
            ) as archive:
                subprocess.run(
                    ["tar", "-x", "-C", str(fresh), "--keep-directory-symlink", "--no-same-owner", *excludes],
                    stdin=archive.stdout,
                    check=True,
                )
        shutil.rmtree(self.root, ignore_errors=True)
        fresh.rename(self.root)


def _require_tools(package: str) -> None:
    for tool in ("apt-get", "dpkg-deb", "tar"):
        if not shutil.which(tool):
            raise InstallationError(
                f"{package} is not installed and {tool} is missing, so Debian's cannot be unpacked: "
                "install it with your system's own means, then run again.",
                f"系统未安装 {package}，也没有 {tool}，无法解包 Debian 的软件包：请用系统自己的方式安装后重试。",
            )


@contextmanager
def _readable() -> Iterator[None]:
    """Unpack for everybody: a program is no secret, and all hotlines of a machine share it."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _only_one(root: Path) -> Iterator[None]:
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / f"{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _mirror() -> str:
    lines = _run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(ORIGIN)|$(CODENAME)", "Created-By: Packages"]
    ).splitlines()
    for line in lines:
        uri, origin, codename = line.split("|")
        if origin == "Debian" and "-" not in codename:
            return uri
    raise InstallationError(
        "apt knows no Debian mirror yet: run `apt-get update` (as root), or install Asterisk yourself.",
        "apt 中没有 Debian 镜像的索引：请先以 root 运行 apt-get update，或自行安装 Asterisk。",
    )


def _download(packages: tuple[str, ...], work: Path, progress: Progress) -> list[Path]:
    for part in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"):
        (work / part).mkdir(parents=True)
    (work / "status").touch()
    source = f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {_mirror()} {SUITE} main\n"
    (work / "etc/sources.list").write_text(source)
    (work / "apt.conf").write_text(_APT_CONF.format(work=work))
    environment = {"APT_CONFIG": str(work / "apt.conf")}
    progress(f"{packages[0]} 1/3: reading the package index of Debian {SUITE}")
    _run(["apt-get", "-qq", "update"], environment)
    progress(f"{packages[0]} 2/3: fetching packages (signatures are checked)")
    _run(["apt-get", "-qq", "-y", "--download-only", "install", *packages], environment)
    return sorted((work / "cache/archives").glob("*.deb"))


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, **(environment or {})}
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-1:] or ["no message"]
        raise InstallationError(
            f"`{' '.join(command[:4])}` failed: {last[0]}. Check the network and apt's sources, then run again.",
            f"命令 {' '.join(command[:4])} 失败：{last[0]}。请检查网络与 apt 源后重试。",
            retry=True,
        ) from error
    return done.stdout
