"""The ``ivr`` command."""

from __future__ import annotations

import importlib
import os

import click

from ivr import __version__
from ivr.host.private import keep_private

COMMANDS = {
    "up": "process",
    "down": "process",
    "status": "process",
    "setup": "process",
    "asterisk": "process",
    "check": "configuration",
    "profile": "configuration",
    "due": "configuration",
    "apply": "apply",
    "seats": "people",
    "operators": "people",
    "roster": "shifts",
    "mode": "shifts",
    "alarms": "shifts",
    "queues": "records",
    "lines": "records",
    "calls": "records",
    "tickets": "records",
    "transfer": "transfer",
    "transcribe": "transcribe",
    "prompts": "prompts",
    "staffing": "planning",
    "simulate": "planning",
}
"""The module of ``ivr.cli`` in which each command is."""


class _Commands(click.Group):
    """Loads a command's module only when it is called: most need little and should start at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ivr.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context) -> None:
    """The engine behind 12345. 12345 热线引擎。"""
    before = keep_private()
    context.call_on_close(lambda: os.umask(before))


if __name__ == "__main__":
    main()
