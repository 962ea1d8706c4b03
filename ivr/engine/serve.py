"""The engine's process: ``python -m ivr.engine.serve``, started and watched by the supervisor.

Settings come from the environment, as for every command.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from ivr.api.requests import Answers
from ivr.api.socket import ControlServer
from ivr.engine.engine import Engine
from ivr.engine.liveness import Hang
from ivr.errors import HotlineError
from ivr.home.logs import start_logging
from ivr.home.secrets import open_keys
from ivr.home.settings import Settings
from ivr.home.settings import load as load_settings
from ivr.host import last_words
from ivr.host.private import keep_private
from ivr.rollout import staging as deployment
from ivr.rollout.switch import resume

log = logging.getLogger(__name__)


def asterisk_logs(settings: Settings) -> Path:
    """Return the log folder of the Asterisk we are attached to."""
    if settings.external_asterisk:
        return Path(settings.asterisk_logs or "/var/log/asterisk")
    return settings.asterisk_home / "log"


async def serve(settings: Settings, hang: Hang | None = None) -> None:
    """Run an engine until SIGTERM or SIGINT.

    Args:
        settings: where things are.
        hang: what became of the engine before.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    resume(settings)
    book = deployment.running_book(settings)
    keys = open_keys(settings.home, deployment.sip_users(book), [person.number for person in book.operators])
    engine = Engine(settings, book, keys, asterisk_logs(settings), hang)
    answers = Answers(engine)
    control = ControlServer(settings.run, answers.table(), answers.held())
    await engine.start()
    await control.start()
    # what was loaded stays: the collector need not look at it again and again on the call path
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    log.info("the engine answers")
    await stop.wait()
    await control.close()
    await engine.stop()


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def main() -> int:
    """Run; the exit status tells the supervisor whether starting again makes sense (1) or not (2)."""
    keep_private()
    faulthandler.register(
        signal.SIGUSR2
    )  # where it stands goes to engine.out before it is ended for its silence
    try:
        settings = load_settings()
        start_logging(settings.logs, "engine")
        _run(serve(settings, Hang.told_in(sys.argv[1:])))
    except HotlineError as error:
        log.error("%s", error.sentence)
        sys.stderr.write(last_words.spoken(error))
        return 1 if error.retry else 2
    except OSError as error:
        log.error("the engine cannot start: %s", error)
        sys.stderr.write(f"the engine cannot start: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
