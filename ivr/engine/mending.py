"""What is mended in the Asterisk that we unpack, before it starts: media that begin anew, requests nobody answers."""

from __future__ import annotations

from collections.abc import Callable

from ivr.asterisk.install.installation import Installation
from ivr.asterisk.mends import request_answers
from ivr.asterisk.mends.media_restart import Verdict
from ivr.engine import media
from ivr.home.settings import Settings

Progress = Callable[[str], None]


def mend_ours(settings: Settings, found: Installation, progress: Progress, patience_s: float) -> Verdict:
    """Mend an Asterisk that this hotline starts, where it is the one we unpacked; any other is only judged.

    Args:
        settings: where things are.
        found: the Asterisk.
        progress: told of what is done.
        patience_s: seconds for each step of a proof.

    Returns:
        What becomes of media that begin anew.
    """
    if media.is_ours(settings, found):
        _let_requests_be_answered(settings, found, progress)
    return media.examine_ours(settings, found, progress, patience_s)


def _let_requests_be_answered(settings: Settings, found: Installation, progress: Progress) -> None:
    try:
        if request_answers.mend(settings.asterisk_root):
            progress(f"Asterisk {found.version}: requests inside a call that nobody takes get an answer now")
    except OSError as error:  # they are sent in vain for half a minute each; calls go on
        progress(
            f"{error.filename}: {error.strerror}: requests inside a call that nobody takes get no answer"
        )
