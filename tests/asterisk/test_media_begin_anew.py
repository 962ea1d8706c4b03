"""Media that begin anew in a talk, with a lower sequence number: everybody goes on hearing everybody, and so do recordings.

Half of all new starts are lower: after hold and resume, after a gateway took over.  The new stream has another tone,
so that whoever hears it hears the new one, and no clock is asked.
"""

from __future__ import annotations

import audioop
import wave
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from ivr.asterisk.mends.media_proof import Media
from ivr.engine.mending import mend_ours
from ivr.home.settings import load as load_settings
from ivr.rollout import staging as deployment
from tests.asterisk.three_parties import C, Hall, O, Scene, T, hall
from tools.phones.patience import PATIENCE_S
from tools.phones.stream import PCMU
from tools.phones.tone_phone import LOUD, TonePhone, level, until

pytestmark = pytest.mark.asterisk

ANEW = {"caller": 550.0, "operator": 1150.0, "third": 2050.0}
_BEFORE = {"caller": C, "operator": O, "third": T}
_STEADY = 0.15
"""Of full scale; a tone is sent at 0.25."""
_MOST = 12_000
"""Bytes of 0.75 s."""
_WINDOW = 3200
"""Bytes of 0.2 s."""


@pytest.fixture(scope="module", autouse=True)
def mended(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have the Asterisk mended, as set-up does, with the patience that a busy machine needs."""
    settings = load_settings(home=tmp_path_factory.mktemp("setup"))
    verdict = mend_ours(settings, deployment.find_asterisk(settings, print), print, PATIENCE_S)
    assert verdict.media is Media.CARRIED, "this Asterisk drops media that begin anew"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A hotline whose operator's phone speaks the same A-law as the callers."""
    with hall(tmp_path_factory.mktemp("alaw"), 1, 1) as instance:
        yield instance


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A hotline whose operator's phone speaks µ-law, and the callers A-law."""
    with hall(tmp_path_factory.mktemp("mulaw"), 1, 1, codec=PCMU) as instance:
        yield instance


def anew(phone: TonePhone, hertz: float) -> None:
    """A gateway takes over: the same call, another stream."""
    phone.begin_anew(hertz)


def held(phone: TonePhone, hertz: float) -> None:
    """The call is put on hold and taken up again."""
    phone.hold()
    phone.resume(hertz)


Restart = Callable[[TonePhone, float], None]


@pytest.mark.parametrize("restart", [anew, held])
@pytest.mark.parametrize("who", ["caller", "operator"])
def test_a_voice_that_begins_anew_is_heard_and_recorded(place: Hall, who: str, restart: Restart) -> None:
    scene = place.scene()
    begin_anew_and_be_heard(scene, ("caller", "operator"), who, restart)
    assert ANEW[who] in recorded(scene)[who], "the recording lacks the voice from then on"


@pytest.mark.parametrize("restart", [anew, held])
@pytest.mark.parametrize("who", ["caller", "operator"])
def test_a_voice_that_begins_anew_is_heard_across_codecs(mixed: Hall, who: str, restart: Restart) -> None:
    scene = mixed.scene()
    begin_anew_and_be_heard(scene, ("caller", "operator"), who, restart)
    assert ANEW[who] in recorded(scene)[who], "the recording lacks the voice from then on"


@pytest.mark.parametrize("restart", [anew, held])
@pytest.mark.parametrize("who", ["caller", "operator", "third"])
def test_a_voice_that_begins_anew_is_heard_in_a_room(mixed: Hall, who: str, restart: Restart) -> None:
    scene = mixed.scene()
    scene.to("three_way")
    begin_anew_and_be_heard(scene, ("caller", "operator", "third"), who, restart)
    assert ANEW[who] in recorded(scene)[who], "the recording lacks the voice from then on"


def begin_anew_and_be_heard(scene: Scene, parties: tuple[str, ...], who: str, restart: Restart) -> None:
    """Let one party's media begin anew; everybody else must hear them; then everybody hangs up."""
    phone: TonePhone = getattr(scene, who)
    try:
        restart(phone, ANEW[who])
        for other in set(parties) - {who}:
            assert until(partial(hears_all_the_while, getattr(scene, other), ANEW[who])), (
                f"the {other} hears no {who}"
            )
    finally:
        scene.close()
        phone.hertz = _BEFORE[who]  # operator and third party take the next call too


def hears_all_the_while(phone: TonePhone, hertz: float) -> bool:
    """Tell whether a tone came for most of a second: a recording, which is written later, has some of it."""
    sound = phone.sound(1.0)
    return len(sound) > _MOST and level(sound, hertz) > _STEADY


def recorded(scene: Scene) -> dict[str, set[float]]:
    """Return which of the new tones each party's side of the recordings has."""
    hotline = scene.hall.hotline
    found: dict[str, set[float]] = {}
    for recording in hotline.transcribed(scene.number)["recordings"]:
        with wave.open(str(hotline.recordings / recording["path"])) as sound:
            assert (sound.getframerate(), sound.getsampwidth()) == (8000, 2)
            samples, stereo = sound.readframes(sound.getnframes()), sound.getnchannels() == 2
        for n, side in enumerate(recording["sides"]):
            track = audioop.tomono(samples, 2, *((1, 0) if n == 0 else (0, 1))) if stereo else samples
            windows = [track[at : at + _WINDOW] for at in range(0, len(track) - _WINDOW + 1, _WINDOW)]
            heard = {hertz for hertz in ANEW.values() for window in windows if level(window, hertz) > LOUD}
            found.setdefault(side, set()).update(heard)
    return found
