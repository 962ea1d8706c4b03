"""The rules by which settings are judged, and which settings each looks at.

A rule is not asked where a setting it looks at has no usable value: that fault is told already.  It
returns quickly, changes nothing, and refuses only what can never work: what may pass by itself (a
database that is away, a disk that is full under a hotline that has long been running) is left to the
start, which lives with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from ivr.home.judging import databases, folders, manager, ports, programs
from ivr.home.settings import Settings
from ivr.home.settings_faults import PREFIX, SettingFault

Judge = Callable[[Settings], Iterable[SettingFault]]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        looks_at: the settings it needs, by their names in :class:`Settings`.
        judge: returns what is wrong.
        starting: whether it asks what is so at this moment only, and counts for a start alone.
    """

    looks_at: tuple[str, ...]
    judge: Judge
    starting: bool = False


FOLDERS = ("home", "config", "recordings", "asterisk_root")
PORTS = ("sip_port", "ami_port", "agi_port", "http_port", "audiosocket_port")
ATTACHED = ("asterisk", "ami_host", "ami_port")

RULES: tuple[Rule, ...] = (
    Rule(("language",), programs.language),
    Rule(("home", "recordings"), folders.paths_for_asterisk),
    Rule(("home",), folders.short_enough_for_a_socket),
    Rule(("home", "asterisk"), folders.home),
    Rule(("home", "recordings"), folders.recordings),
    Rule(("home", "config"), folders.config),
    Rule(("asterisk_root", "asterisk"), folders.asterisk_root),
    Rule(FOLDERS, folders.apart),
    Rule(PORTS, ports.each_its_own),
    *(Rule((port,), partial(ports.privileged, setting=PREFIX + port.upper())) for port in PORTS),
    Rule(("sip_port", "rtp_ports", "asterisk"), ports.voice),
    Rule(("bind", "asterisk"), ports.bind, starting=True),
    Rule(("database_url",), databases.shape),
    Rule(("asterisk", "asterisk_root"), programs.asterisk),
    Rule(("vosk_model",), programs.speech_model),
    Rule(("ami_user", "ami_secret"), manager.user),
    Rule(("asterisk", "ami_host"), manager.host),
    Rule(ATTACHED, manager.answers, starting=True),
    Rule(("asterisk", "asterisk_logs"), manager.logs, starting=True),
)


def asked(settings: Settings, unusable: frozenset[str], *, starting: bool) -> Iterator[SettingFault]:
    """Ask every rule whose settings are there.

    Args:
        settings: the settings; what is ``unusable`` has its default.
        unusable: names in :class:`Settings` whose values could not be read.
        starting: whether a hotline is about to start with them.
    """
    for rule in RULES:
        if unusable.intersection(rule.looks_at) or (rule.starting and not starting):
            continue
        try:
            yield from rule.judge(settings)
        except OSError as error:  # a folder of another user, a name that is too long
            why = error.strerror or str(error)
            yield SettingFault(
                PREFIX + rule.looks_at[0].upper(),
                f"leads to {error.filename}, which cannot be looked at ({why}); mend its owner or mode.",
                f"所指的 {error.filename} 无法查看（{why}）；请检查属主和权限。",
            )
