"""A party's media come from another port in mid-talk, and nobody says so: who is heard, and who is told of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.asterisk.floor import CALLER, FIRST, Floor
from tests.asterisk.hotline import Hotline, running, wait_for
from tools.phones.tone_phone import TonePhone, level, until

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with running(tmp_path_factory.mktemp("shipped"), quick=True, IVR_STRICT_RTP="no") as one:
        yield one


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    """As where strangers can send voice, and with silence asked about."""
    folder = tmp_path_factory.mktemp("strict")
    with running(folder, quick=True, IVR_STRICT_RTP="yes", IVR_PHONE_CHECK_S="4") as one:
        one.cli("logger add channel media verbose(4)")
        yield one


@pytest.fixture
def open_floor(shipped: Hotline) -> Iterator[Floor]:
    floor = Floor(shipped)
    yield floor
    floor.clear()


@pytest.fixture
def strict_floor(strict: Hotline) -> Iterator[Floor]:
    floor = Floor(strict)
    yield floor
    floor.clear()


def talk(floor: Floor, *, translated: bool = False) -> tuple[TonePhone, TonePhone, str]:
    """Return a caller and an operator who hear each other, and the caller's number."""
    operator = floor.man("01", FIRST)
    caller, number = floor.call(translated=translated)
    floor.hears(caller, FIRST, "they talk")
    heard_by(operator, floor)
    return caller, operator, number


def fixed(floor: Floor, caller: TonePhone) -> None:
    """Wait until Asterisk holds on to where the media come from: five seconds after the first packet."""
    heard = floor.hotline.home / "asterisk/log/media"
    wait_for(lambda: f"Locking on source address 127.0.0.1:{caller.sends_from}" in heard.read_text())


def heard_by(operator: TonePhone, floor: Floor) -> None:
    assert until(lambda: operator.hears((CALLER,)) == {CALLER}), f"not heard: {floor.hotline.logs()}"


def lost_by(operator: TonePhone) -> None:
    assert until(lambda: not operator.hears((CALLER,))), "strict: what comes from elsewhere is not taken"


def alarms(floor: Floor) -> set[str]:
    return {row["alarm"] for row in floor.hotline.engine("alarms")}


def test_as_shipped_a_caller_whose_media_move_without_a_word_is_heard_on(open_floor: Floor) -> None:
    caller, operator, _ = talk(open_floor)
    for move in range(10):  # a strict Asterisk follows for five seconds; these moves take longer
        caller.hertz = 500.0 + 100 * move
        caller.move_media(told=False)
        assert until(partial(heard_steadily, operator, caller.hertz)), f"lost at move {move}"
    assert until(lambda: caller.hears((FIRST,)) == {FIRST}), "Asterisk sends to where the caller is now"


def heard_steadily(phone: TonePhone, hertz: float) -> bool:
    """Tell whether most of the last second was this tone, which is sent at 0.25 of full scale."""
    return level(phone.sound(1.0), hertz) > 0.15


def test_where_strangers_could_speak_a_caller_who_is_not_heard_any_more_is_told_of(
    strict_floor: Floor,
) -> None:
    caller, operator, number = talk(strict_floor)
    fixed(strict_floor, caller)
    caller.move_media(told=False)
    lost_by(operator)
    wait_for(lambda: "side_silent" in alarms(strict_floor), why="the leader is told")
    assert caller.up and operator.up, "nobody is cut off"
    assert not operator.hears((CALLER,))
    caller.hang_up()
    kinds = [event["kind"] for event in strict_floor.hotline.ticket_of(number)["events"]]
    assert [kind for kind in kinds if kind.startswith("side_")] == ["side_silent"]


def test_a_caller_who_says_where_their_media_are_when_asked_is_heard_again(strict_floor: Floor) -> None:
    caller, operator, _ = talk(strict_floor)
    fixed(strict_floor, caller)
    caller.move_media(told=True)
    lost_by(operator)
    heard_by(operator, strict_floor)


def test_a_caller_behind_an_address_translation_is_heard_again_after_they_are_asked(
    strict_floor: Floor,
) -> None:
    caller, operator, _ = talk(strict_floor, translated=True)
    fixed(strict_floor, caller)
    caller.move_media(told=False)
    lost_by(operator)
    heard_by(operator, strict_floor)
    assert until(lambda: caller.hears((FIRST,)) == {FIRST}), "and hears the operator there"
