"""The ``ivr`` command."""

from __future__ import annotations

import click

from ivr import __version__
from ivr.commands.look import calls, check, lines, queues, tickets
from ivr.commands.people import operators, seats
from ivr.commands.process import asterisk, down, setup, status, up
from ivr.commands.words import transcribe


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """The engine behind 12345. 12345 热线引擎。"""


for command in (
    up,
    down,
    status,
    setup,
    asterisk,
    check,
    seats,
    operators,
    queues,
    lines,
    calls,
    tickets,
    transcribe,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
