"""A seat on baresip: an ordinary softphone that registers, answers by itself, and sends keys as RFC 4733 events.

It runs from a folder of its own with no sound device: what it says is a tone, what it hears goes
nowhere.  Its keyboard is baresip's own console on a UDP port (module ``cons``).
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from ivr.asterisk.install.installation import Programs
from tools.phones.sipp import media_port

PROGRAMS = Path("~/.cache/ivr12345/baresip").expanduser()
_INSTALLED = ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules")
_RELEASE = "\x04"
_CONFIG = """\
poll_method epoll
sip_listen {host}:{sip_port}
net_interface {host}
call_max_calls 2
statmode_default off
audio_player aubridge,nowhere
audio_source ausine,{hertz}
audio_alert aubridge,nowhere
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 2
auplay_channels 2
rtp_ports {rtp_port}-{rtp_last}
jitter_buffer_delay 5-10
cons_listen {host}:{console_port}
module_path {modules}
module cons.so
module g711.so
module ausine.so
module aubridge.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
"""


def baresip_program() -> tuple[list[str], str]:
    """Return the command that runs baresip and where its modules are: the installed one, else Debian's unpacked.

    Raises:
        InstallationError: there is none and it cannot be fetched.
    """
    found = shutil.which("baresip")
    modules = next((folder for folder in _INSTALLED if Path(folder).is_dir()), "")
    if found and modules:
        return [found], modules
    programs = Programs(PROGRAMS, ("baresip-core",), "usr/bin/baresip")
    command = programs.command(lambda line: print(line, flush=True))
    return list(command), str(PROGRAMS / "usr/lib/baresip/modules")


class Baresip:
    """A registered softphone.

    Args:
        folder: for its configuration and log.
        user: SIP user.
        password: its password.
        server: Asterisk's SIP address.
        ports: of SIP, and of the console.
        hertz: the tone it sends.
        registers: whether Asterisk is told where it is; else only who knows its address can call it.
    """

    def __init__(
        self,
        folder: Path,
        user: str,
        password: str,
        server: tuple[str, int],
        ports: tuple[int, int],
        hertz: int = 900,
        *,
        registers: bool = True,
    ) -> None:
        host, rtp = server[0], media_port()
        self._console = (host, ports[1])
        self.log = folder / "baresip.log"
        command, modules = baresip_program()
        folder.mkdir(parents=True, exist_ok=True)
        values = {
            "host": host, "sip_port": ports[0], "console_port": ports[1], "rtp_port": rtp, "rtp_last": rtp + 3,
            "hertz": hertz, "modules": modules,
        }  # fmt: skip
        (folder / "config").write_text(_CONFIG.format(**values))
        account = f"<sip:{user}@{host}:{server[1]};transport=udp>;auth_user={user};auth_pass={password}"
        every_s = 600 if registers else 0
        (folder / "accounts").write_text(f"{account};answermode=auto;regint={every_s};audio_codecs=pcma\n")
        (folder / "accounts").chmod(0o600)
        (folder / "contacts").touch()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "-f", str(folder), "-4"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
            )

    def said(self) -> str:
        """Return what it has written so far."""
        return self.log.read_text(errors="replace")

    def press(self, digits: str, hold_s: float = 0.1, gap_s: float = 0.1) -> None:
        """Press keys during a call, each held for a while."""
        for digit in digits:
            self._type(digit)
            time.sleep(hold_s)
            self._type(_RELEASE)
            time.sleep(gap_s)

    def hang_up(self) -> None:
        """End the call."""
        self._type("b")

    def close(self) -> None:
        """Unregister and end it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _type(self, text: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as keyboard:
            keyboard.sendto(text.encode(), self._console)
