"""A copy of the unpacked Asterisk as Debian ships it: links to all of it, and a program with Debian's check in it again."""

from __future__ import annotations

import struct
from pathlib import Path

from ivr.asterisk.install import installation as installations
from ivr.asterisk.install.installation import UNPACKED, Installation
from ivr.asterisk.mends import translator
from ivr.asterisk.mends.translator import Code
from ivr.home.settings import Settings

_CHAN_RTP = "chan_rtp.so"


class OldAsterisk:
    """An unpacked Asterisk that nobody mended yet.

    Args:
        root: the new folder for it.
        whole: without one of the modules that the proof by a call needs it cannot be mended.
    """

    def __init__(self, root: Path, *, whole: bool = True) -> None:
        shared = Settings.model_fields["asterisk_root"].default.expanduser()
        real = installations.find(UNPACKED, shared, print)
        self.root = root
        self.modules = root / real.modules.relative_to(shared)
        self.program = installations.program_in(root)
        self._module = real.modules / _CHAN_RTP
        usr, libraries = self.program.parents[1], self.modules.parents[1]
        for folder in (self.program.parent, self.modules):
            folder.mkdir(parents=True)
        for here in (
            usr,
            libraries.parent,
            libraries,
            self.modules.parent,
            self.modules,
            self.program.parent,
        ):
            for path in (shared / here.relative_to(root)).iterdir():
                if not (here / path.name).exists() and path.name not in (_CHAN_RTP, "asterisk"):
                    (here / path.name).symlink_to(path)
        self.program.write_bytes(_with_the_check(Path(real.command[-1]).read_bytes()))
        self.program.chmod(0o755)
        assert translator.look(self.program) is Code.DROPS
        if whole:
            self.complete()

    def complete(self) -> None:
        """Add the module that lacked."""
        (self.modules / _CHAN_RTP).symlink_to(self._module)

    def found(self) -> Installation:
        """Return it as the hotline finds it."""
        return installations.find(UNPACKED, self.root, print, unpack=False)


def _with_the_check(program: bytes) -> bytes:
    """Put the conditional jump back."""
    jump = translator._jump(program)
    assert jump is not None, "the unpacked Asterisk is none that we know"
    if jump.mended[:1] == b"\xeb":
        back = b"\x77" + jump.mended[1:]
    elif jump.mended[:2] == b"\x90\xe9":
        back = b"\x0f\x87" + jump.mended[2:]
    else:
        (word,) = struct.unpack("<I", jump.mended)
        back = struct.pack("<I", 0x54000008 | (word & 0x7FFFF) << 5)
    return program[: jump.offset] + back + program[jump.offset + len(back) :]
