"""Puts the folders that stand at the top of a checkout into the wheel, as ``ivr/shipped/``.

Everything else about the package is in ``pyproject.toml``; setuptools has no setting for this.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TOP = Path(__file__).parent
SHIPPED = (
    "agi_scripts/*.py",
    "asterisk_conf/**/*.j2",
    "asterisk_conf/**/*.part",
    "queues/*.yaml",
    "queues/profiles/*/*.yaml",
    "queues/schema/*.json",
)


class BuildWithFolders(build_py):
    """Copies what ``ivr.shipped`` hands out; a checkout that is installed as it stands has it already."""

    def run(self) -> None:
        """Build the package, then add the folders."""
        super().run()
        if self.editable_mode:
            return
        for source, target in self._shipped().items():
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target), preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return every file that this makes."""
        return [*super().get_outputs(include_bytecode), *map(str, self._shipped().values())]

    def _shipped(self) -> dict[Path, Path]:
        into = Path(self.build_lib) / "ivr/shipped"
        return {
            path: into / path.relative_to(TOP) for pattern in SHIPPED for path in sorted(TOP.glob(pattern))
        }


setup(cmdclass={"build_py": BuildWithFolders})
