"""What a caller lives through in the queue, on a real Asterisk: place, callback, message, survey."""

from __future__ import annotations

import audioop
import contextlib
import hashlib
import os
import re
import signal
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivr.speech.prompts import SHIPPED
from tests.asterisk.hotline import SPEECH, Hotline, wait_for
from tools.phones import free_udp_port
from tools.phones.tone_phone import TonePhone, until

pytestmark = pytest.mark.asterisk


@contextlib.contextmanager
def waiting_hotline(folder: Path, helper: int = 0, **extra: str) -> Iterator[tuple[Hotline, int]]:
    """A hotline that calls back on a port of ours, asks how it was, and waits for nobody long.

    ``helper`` is the port of whoever the star key calls.
    """
    folder.mkdir(exist_ok=True)
    port = free_udp_port()
    settings = {"IVR_SURVEY": "yes", "IVR_UNATTENDED_S": "3600", "IVR_CALLBACK_RETRY_S": "2"} | extra
    hotline = Hotline(folder, quick=True, **settings)
    trunks = folder / "queues/trunks.yaml"
    text = trunks.read_text(encoding="utf-8").replace(
        "\ndestinations:", f"\ndestinations:\n  callback: ['sip:127.0.0.1:{port}']  #"
    )
    text = re.sub(r"(?m)^( *'110':).*$", rf"\1 ['sip:110@127.0.0.1:{helper}']", text) if helper else text
    trunks.write_text(text, encoding="utf-8")
    try:
        hotline.up()
        yield hotline, port
    finally:
        hotline.down()
    assert not hotline.processes()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hotline, int]]:
    with waiting_hotline(tmp_path_factory.mktemp("waiting")) as both:
        yield both


@pytest.fixture
def place(shared: tuple[Hotline, int]) -> Iterator[tuple[Hotline, int]]:
    """The shared hotline; whatever a test leaves is hung up and logged out."""
    hotline, _ = shared
    yield shared
    hotline.phones.close()
    for row in hotline.engine("seats"):
        if row["operator"] is not None:
            hotline.unman(row["seat"])
    hotline.cli("channel request hangup all")


def frames(path: Path) -> bytes:
    with wave.open(str(path)) as sound:
        data: bytes = sound.readframes(sound.getnframes())
    return data


def times_heard(whole: bytes, prompt: str) -> int:
    """Count how often a prompt's most telling part stands in what was heard."""
    said = frames(SHIPPED / f"zh/{prompt}.wav")
    length = min(2400, len(said) // 2)
    start = audioop.findmax(said, length)
    part = said[2 * start : 2 * (start + length)]
    found = 0
    while len(whole) > len(part):
        at, factor = audioop.findfit(whole, part)
        match = whole[2 * at : 2 * at + len(part)]
        rest = audioop.add(match, audioop.mul(part, 2, -factor), 2)
        if audioop.rms(rest, 2) > 0.35 * max(1, audioop.rms(match, 2)) or audioop.rms(match, 2) < 100:
            return found
        found += 1
        whole = whole[: 2 * at] + b"\0" * len(part) + whole[2 * at + len(part) :]
    return found


def kinds(ticket: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in ticket["events"]]


def busy_operator(hotline: Hotline, number: str) -> None:
    """Let the only operator talk to somebody for a while."""
    hotline.phones.caller(number=number, stays=True)
    wait_for(lambda: hotline.call_state(number) == "talking", why="the operator is busy")


def wish(hotline: Hotline, number: str) -> None:
    """Call, wait, and ask for a callback; the queue misses a key between two recordings, so until it is noted."""
    with contextlib.closing(caller_of(hotline, number)) as caller:

        def noted() -> bool:
            caller.press("1")
            return until(lambda: hotline.call_state(number) == "callback", 1.5)

        wait_for(noted, why=lambda: f"the wish is noted {hotline.logs()}")


def caller_of(hotline: Hotline, number: str) -> TonePhone:
    """Return a caller who waits in the queue, silent."""
    caller = TonePhone(0, 0.0, ("127.0.0.1", hotline.sip_port), name=number)
    caller.call("12345", number)
    wait_for(lambda: hotline.call_state(number) == "waiting", why=lambda: f"{number} waits {hotline.logs()}")
    return caller


@pytest.mark.timeout(600)  # looking for a sentence in half a minute of sound takes a busy machine long
def test_a_caller_hears_their_place_once_and_again_only_when_it_is_better(place: tuple[Hotline, int]) -> None:
    hotline, _ = place
    with (
        contextlib.closing(caller_of(hotline, "95540003001")) as first,
        contextlib.closing(caller_of(hotline, "95540003002")) as second,
    ):
        wait_for(lambda: times_heard(second.sound(6), "P012"), 60, "the next announcement has come")
        early = second.sound()
        first.hang_up()
        left_at = time.monotonic()
        wait_for(lambda: times_heard(second.sound(6), "P021"), 60, "now the next one")
        late = second.sound(time.monotonic() - left_at)
    assert [times_heard(early, prompt) for prompt in ("S020", "n_2", "S021", "P021")] == [1, 1, 1, 0]
    assert [times_heard(late, prompt) for prompt in ("S020", "P021")] == [0, 1], "now the next one"


def padded(folder: Path, name: str, before_s: float, after_s: float = 0.0) -> Path:
    """Return a sentence with silence around it: a phone that listens first."""
    target = folder / f"{name}-{before_s}.wav"
    with wave.open(str(target), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * int(8000 * before_s) + frames(SPEECH / f"{name}.wav"))
        sound.writeframes(b"\0\0" * int(8000 * after_s))
    return target


def without_phone(hotline: Hotline, seat: str, operator: str) -> None:
    """Log somebody in whom nothing can ring: promised callbacks stand in their places and nobody takes them."""
    hotline.engine("login", seat=seat, operator=operator)


def placeholders(hotline: Hotline) -> int:
    """Count the placeholders in Asterisk, of two channels each."""
    return hotline.cli("core show channels concise").count("@ivr-callback") // 2


def callback_events(ticket: dict[str, Any]) -> list[str]:
    return [kind.removeprefix("callback_") for kind in kinds(ticket) if kind.startswith("callback_")]


def test_a_wished_callback_keeps_the_place_and_brings_citizen_and_operator_together(
    place: tuple[Hotline, int],
) -> None:
    hotline, port = place
    citizen = hotline.phones.seat(port, sound=padded(hotline.folder, "power_cut", 4.0))
    hotline.man("01", "1001", talk_ms=1000, sound=padded(hotline.folder, "social_card", 9.0))
    busy_operator(hotline, "15400003010")
    wish(hotline, "15400003011")
    hotline.phones.caller(number="95540003012", stays=True)
    wait_for(lambda: hotline.waiting() == 2, why="the late one stands behind the placeholder")
    wait_for(lambda: hotline.call_state("15400003011") == "surveying", why="they are asked how it was")
    wait_for(lambda: hotline.call_state("95540003012") in ("talking", "surveying"), why="then the late one")
    ticket = hotline.transcribed("15400003011", 60)
    citizen.stop()
    after = next(row for row in hotline.tickets() if row["caller"].endswith("3012"))
    served = next(e["at"] for e in after["events"] if e["kind"] == "answered")
    taken = next(e["at"] for e in ticket["events"] if e["kind"] == "callback_tried")
    assert taken < served, "who came later was not served before"
    assert ticket["outcome"] == "answered"
    assert (ticket["seat"], ticket["operator"]) == ("01", "1001")
    assert callback_events(ticket) == ["claimed", "tried", "answered"]
    said = {turn["speaker"]: turn["text"] for turn in ticket["transcript"]["turns"]}
    assert "停电" in said["caller"], said
    [recording] = ticket["recordings"]
    assert hashlib.sha256(Path(recording["path"]).read_bytes()).hexdigest() == recording["sha256"]
    assert sum(t["caller"].endswith("3011") for t in hotline.tickets()) == 1, "one call, one ticket"


def test_a_callback_survives_the_engine_and_a_busy_citizen_gets_two_tries_and_a_ticket(
    place: tuple[Hotline, int],
) -> None:
    hotline, port = place
    hotline.phones.busy(port)
    without_phone(hotline, "01", "1001")
    wish(hotline, "15400003021")
    wait_for(lambda: placeholders(hotline) == 1, why="it stands")
    killed = hotline.kill("engine")
    hotline.wait_live()
    assert hotline.pid("engine") != killed
    assert placeholders(hotline) == 1, "still one placeholder"
    hotline.man("02", "1002")
    ticket = hotline.ticket_of("15400003021", 60)

    assert ticket["outcome"] == "callback"
    assert callback_events(ticket) == ["claimed", "tried", "unreached", "tried", "unreached", "failed"]
    assert sum(t["caller"].endswith("3021") for t in hotline.tickets()) == 1


def test_the_score_a_caller_keys_in_stands_in_the_ticket(place: tuple[Hotline, int]) -> None:
    hotline, _ = place
    hotline.man("03", "1003", talk_ms=500)
    number = "95540003041"
    with contextlib.closing(TonePhone(0, 0.0, ("127.0.0.1", hotline.sip_port), name="caller")) as caller:
        caller.call("12345", number)
        wait_for(lambda: hotline.call_state(number) == "surveying", why=f"they are asked {hotline.logs()}")
        caller.press("2")
        assert until(lambda: not caller.up), "the caller is not thanked and released"
    ticket = hotline.ticket_of(number)
    assert ticket["satisfaction"] == 2
    left = next(event["at"] for event in ticket["events"] if event["kind"] == "operator_left")
    closed = next(event["at"] for event in ticket["events"] if event["kind"].startswith("recording_"))
    ended = next(event["at"] for event in ticket["events"] if event["kind"] == "hung_up")
    assert left < closed < ended, "the recording is closed while the caller is still asked"


def test_a_caller_who_is_not_content_says_why_and_it_is_kept(place: tuple[Hotline, int]) -> None:
    hotline, _ = place
    hotline.man("07", "1007", talk_ms=500)
    number = "95540003081"
    with contextlib.closing(TonePhone(0, 400.0, ("127.0.0.1", hotline.sip_port), name="caller")) as caller:
        caller.call("12345", number)
        wait_for(lambda: hotline.call_state(number) == "surveying", why=f"they have talked {hotline.logs()}")
        caller.press("5")

        def begun() -> bool:
            remarks = hotline.recordings.rglob("*-remark.wav")
            return any(path.stat().st_size > 16_000 for path in remarks)

        wait_for(begun, why=f"the remark is recorded {hotline.logs()}")
        caller.press("#")
        assert until(lambda: not caller.up), "the caller is not thanked and released"
    ticket = hotline.ticket_of(number)
    assert ticket["satisfaction"] == 5
    [remark] = [one for one in ticket["recordings"] if one["path"].endswith("-remark.wav")]
    assert remark["sides"] == ["caller"]
    assert hashlib.sha256(Path(remark["path"]).read_bytes()).hexdigest() == remark["sha256"]
    assert Path(remark["path"]).stat().st_mode & 0o077 == 0


def test_a_second_talk_after_the_survey_is_recorded_and_written_down(place: tuple[Hotline, int]) -> None:
    hotline, _ = place
    sound = padded(hotline.folder, "social_card", 0.5, 0.3)
    hotline.man("05", "1005", talk_ms=500, sound=sound)
    number = "95540003071"
    caller = TonePhone(0, 0.0, ("127.0.0.1", hotline.sip_port), name="caller")
    try:
        caller.call("12345", number)
        wait_for(
            lambda: hotline.call_state(number) == "surveying",
            why=lambda: f"they have talked {hotline.logs()}",
        )
        caller.press("0")
        wait_for(
            lambda: hotline.call_state(number) == "talking", why=lambda: f"they talk again {hotline.logs()}"
        )
        wait_for(lambda: hotline.call_state(number) == "surveying", why="they have talked twice")
    finally:
        caller.close()
    ticket = hotline.transcribed(number)
    first, second = ticket["recordings"]
    assert [first["sides"], second["sides"]] == [["caller", "operator"]] * 2
    assert second["path"] == first["path"].replace(".wav", "-part1.wav")
    assert second["from_s"] > len(frames(sound)) / 16_000, "after the first talk and the survey"
    assert hashlib.sha256(Path(second["path"]).read_bytes()).hexdigest() == second["sha256"]
    later = [turn for turn in ticket["transcript"]["turns"] if turn["start"] >= second["from_s"]]
    assert any(turn["speaker"] == "operator" and turn["text"] for turn in later), ticket["transcript"]


def test_a_survey_without_the_engine_just_ends_the_call(place: tuple[Hotline, int]) -> None:
    hotline, _ = place
    hotline.man("04", "1004", talk_ms=3000)
    number = "95540003051"
    caller = hotline.phones.caller(number=number, stays=True)
    wait_for(lambda: hotline.call_state(number) == "talking", why="they talk")
    supervisor = int((hotline.home / "run/supervisor.pid").read_text())
    engine = hotline.pid("engine")
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(engine, signal.SIGKILL)
    try:
        assert caller.wait() == 0, "the caller was left in silence: " + caller.errors()
    finally:
        os.kill(supervisor, signal.SIGCONT)
    hotline.wait_live()
    ticket = hotline.ticket_of(number)
    assert (ticket["outcome"], ticket["satisfaction"]) == ("answered", None)


def test_callbacks_are_put_back_in_order_when_asterisk_starts_again(place: tuple[Hotline, int]) -> None:
    hotline, _ = place
    without_phone(hotline, "01", "1001")
    wish(hotline, "15400003031")
    wish(hotline, "15400003032")
    hotline.kill("asterisk")
    hotline.wait_live()

    def both() -> list[str] | None:
        waiting = [
            line for line in hotline.cli("queue show q_general").splitlines() if "ivr-callback" in line
        ]
        return waiting if len(waiting) == 2 else None

    first, second = (line.split("Local/")[1].split("@")[0] for line in wait_for(both, why="both are back"))
    begun = {row["call_id"]: row["caller"][-4:] for row in hotline.tickets()}
    assert (begun[first], begun[second]) == ("3031", "3032")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hotline, int]]:
    """A hotline where nobody is logged in, and callers are soon asked for a message."""
    with waiting_hotline(tmp_path_factory.mktemp("alone"), IVR_UNATTENDED_S="2") as both:
        yield both


def leave_a_message(hotline: Hotline, number: str) -> bytes:
    """Let a caller leave a message; return what they heard until they had left it."""
    with contextlib.closing(TonePhone(0, 0.0, ("127.0.0.1", hotline.sip_port), name=number)) as caller:
        caller.call("12345", number)
        wait_for(lambda: hotline.call_state(number) == "voicemail", 60, lambda: f"asked {hotline.logs()}")
        heard = caller.sound()
        caller.say(padded(hotline.folder, "power_cut", 0.5, 0.5))
        wait_for(lambda: not caller.speaking, why="they have spoken")
        caller.press("#")
        assert until(lambda: not caller.up), "the caller is not thanked and released"
    return heard


def test_where_nobody_is_logged_in_a_caller_leaves_a_message(alone: tuple[Hotline, int]) -> None:
    hotline, _ = alone
    number = "95540003061"  # none that is called back
    heard = leave_a_message(hotline, number)
    ticket = hotline.transcribed(number)
    assert ticket["outcome"] == "voicemail"
    [recording] = ticket["recordings"]
    assert recording["sides"] == ["caller"]
    assert hashlib.sha256(Path(recording["path"]).read_bytes()).hexdigest() == recording["sha256"]
    assert Path(recording["path"]).stat().st_mode & 0o077 == 0
    assert "停电" in ticket["transcript"]["text"]
    assert "alarm voicemail" in (hotline.home / "log/engine.log").read_text(encoding="utf-8")
    assert [times_heard(heard, prompt) for prompt in ("P042", "S031")] == [0, 1], "nothing is promised"
    assert [event["kind"] for event in ticket["events"]].count("callback_left_to_person") == 1


def test_who_left_a_message_is_called_back_as_soon_as_somebody_is_there(alone: tuple[Hotline, int]) -> None:
    hotline, port = alone
    number = "15400003062"
    heard = leave_a_message(hotline, number)
    wait_for(
        lambda: hotline.call_state(number) == "callback",
        why=lambda: f"a callback is claimed {hotline.logs()}",
    )
    assert times_heard(heard, "P042") == 1, "the callback was promised"
    assert placeholders(hotline) == 0, "nobody is there: it is a row, and no channel"
    citizen = hotline.phones.seat(port, sound=padded(hotline.folder, "power_cut", 4.0))
    hotline.man("01", "1001", talk_ms=1000, sound=padded(hotline.folder, "social_card", 9.0))
    ticket = hotline.ticket_of(number, 60)
    citizen.stop()
    assert ticket["outcome"] == "answered"
    assert callback_events(ticket) == ["claimed", "tried", "answered"]
    ticket = hotline.transcribed(number)
    assert [recording["sides"] for recording in ticket["recordings"]] == [["caller", "operator"], ["caller"]]
    turns = ticket["transcript"]["turns"]
    assert "停电" in "".join(turn["text"] for turn in turns if turn.get("message")), turns
    assert any(not turn.get("message") for turn in turns), "the talk is written down, too"


@pytest.fixture(scope="module")
def helped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hotline, TonePhone]]:
    """The same with somebody at 110."""
    helper = TonePhone(0, 1600.0, ("127.0.0.1", 0), name="110")
    with waiting_hotline(tmp_path_factory.mktemp("helped"), helper.port, IVR_UNATTENDED_S="1") as (
        hotline,
        _,
    ):
        helper.server = ("127.0.0.1", hotline.sip_port)
        yield hotline, helper
    helper.close()


@pytest.mark.parametrize("left", [False, True])
def test_star_leads_to_help_while_a_caller_is_asked_for_a_message_and_while_they_leave_it(
    helped: tuple[Hotline, TonePhone], left: bool
) -> None:
    hotline, helper = helped
    number = f"1540000307{int(left)}"
    with contextlib.closing(TonePhone(0, 400.0, helper.server)) as caller:
        caller.call("12345", number)
        wait_for(lambda: asked(hotline, number), why="the caller is asked for a message")
        if left:
            wait_for(lambda: hotline.call_state(number) == "voicemail", why="the message begins")
        caller.press("5")  # no key of ours: it must not cost the call
        time.sleep(0.5)
        assert caller.up, "a wrong key ended the call"
        caller.press("*")
        assert until(lambda: caller.hears((1600.0,)) == {1600.0}), hotline.logs()
        assert until(lambda: helper.hears((400.0,)) == {400.0})
    ticket = hotline.ticket_of(number)
    assert ticket["outcome"] == "handed_off"
    assert "callback_claimed" not in kinds(ticket)


def test_star_leads_to_help_also_after_the_talk_while_the_caller_is_asked_how_it_was(
    helped: tuple[Hotline, TonePhone],
) -> None:
    hotline, helper = helped
    hotline.man("08", "1008", talk_ms=500)
    number = "15400003081"
    with contextlib.closing(TonePhone(0, 400.0, helper.server)) as caller:
        caller.call("12345", number)
        wait_for(lambda: hotline.call_state(number) == "surveying", why=f"they have talked {hotline.logs()}")
        wait_for(
            lambda: any(
                ticket["transcript"]["status"] == "done"
                for ticket in hotline.tickets()
                if ticket["caller"].endswith(number[-4:])
            ),
            why="the talk is written down",
        )
        caller.press("*")
        assert until(lambda: caller.hears((1600.0,)) == {1600.0}), hotline.logs()
        assert until(lambda: helper.hears((400.0,)) == {400.0})
    hotline.unman("08")
    ticket = hotline.transcribed(number)
    assert ticket["outcome"] == "handed_off"
    wait_for(lambda: len(hotline.ticket_of(number)["recordings"]) == 2, why="the talk with help is recorded")
    talk, beside = hotline.ticket_of(number)["recordings"]
    assert talk["sides"] == ["caller", "operator"]
    assert beside["sides"] == ["caller", "third"]
    assert beside["path"].endswith("-help.wav")


def asked(hotline: Hotline, number: str) -> bool:
    """Tell whether a caller is being asked for a message."""
    lines = [line.split("!") for line in hotline.cli("core show channels concise").splitlines()]
    return any(number in cells and "ivr-voicemail" in cells for cells in lines)
