"""A change of the configuration is whole or was never there, whatever is killed in the middle."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.asterisk.ami.link import AmiDown, AmiRefused
from ivr.asterisk.install.reloading import Difference, Expected
from ivr.calls.open_calls import CallBook
from ivr.errors import HotlineError
from ivr.events.event import HOTLINE, Event, Kind
from ivr.home.links import named_by, point
from ivr.home.settings import Settings
from ivr.hotline.book import HotlineBook, Operator, QueueSpec, Seat
from ivr.rollout import retention as keeping
from ivr.rollout import staging as deployment
from ivr.rollout.changes import compare, rows, summary
from ivr.rollout.history import Change, History
from ivr.rollout.prepare import book_of, forget_interrupted, history_of, only_one, versions_of
from ivr.rollout.retention import parent_of
from ivr.rollout.states import (
    AFTER_A_KILL,
    TRANSITIONS,
    ApplyEvent,
    ApplyRefused,
    ApplyState,
    Repair,
    following,
)
from ivr.rollout.switch import Switch, resume
from ivr.rollout.versions import Reading, Versions, fingerprint, read
from tests.unit.kit import T0, small_book

SHIPPED = Path(__file__).resolve().parents[2] / "queues"


class Killed(BaseException):
    """The process ends here."""


# -- the table ---------------------------------------------------------------------------------
@pytest.mark.parametrize("state", ApplyState)
@pytest.mark.parametrize("event", ApplyEvent)
def test_every_row_of_the_table_is_walked_and_everything_else_is_refused(
    state: ApplyState, event: ApplyEvent
) -> None:
    if event in TRANSITIONS[state]:
        assert following(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(ApplyRefused):
            following(state, event)


def test_every_state_has_an_end_and_a_repair() -> None:
    assert set(TRANSITIONS) == set(ApplyState) == set(AFTER_A_KILL)
    for state in ApplyState:
        assert bool(TRANSITIONS[state]) == (AFTER_A_KILL[state] is not Repair.NOTHING)


# -- history and versions ----------------------------------------------------------------------
def test_a_line_cut_in_half_by_a_kill_counts_as_not_written(tmp_path: Path) -> None:
    history = History(tmp_path)
    first = history.begin(Change(0, 1, 0, ApplyState.TAKEN, T0, by="李"))
    history.step(first.id, ApplyEvent.PROVED, T0 + 1, rendered="abc")
    path = tmp_path / "history.jsonl"
    whole = path.read_bytes()
    for cut in range(len(whole) - len(whole.splitlines()[-1]), len(whole) - 1):
        path.write_bytes(whole[:cut])
        [change] = history.changes()
        assert change.state is ApplyState.TAKEN
    history.step(first.id, ApplyEvent.REFUSED, T0 + 2, why="no")
    [change] = history.changes()
    assert (change.state, change.by, change.why) == (ApplyState.REFUSED, "李", "no")


def test_a_version_never_changes_and_equal_folders_are_known(tmp_path: Path) -> None:
    reading = read(SHIPPED)
    assert len(reading.book.seats) == 24
    versions = Versions(tmp_path / "versions", tmp_path / "running")
    (tmp_path / "versions").mkdir()
    first = versions.keep(reading.files, {"by": "李", "comment": "第一版"})
    second = versions.keep({**reading.files, "queues.yaml": b"queues: []"}, {"by": "李"})
    assert (first.number, second.number) == (1, 2)
    assert (
        first.fingerprint
        == fingerprint(dict(sorted(reading.files.items(), reverse=True)))
        != second.fingerprint
    )
    assert first.facts["comment"] == "第一版"
    assert all(path.stat().st_mode & 0o222 == 0 for path in first.config.iterdir())
    assert versions.running() is None
    for version in (first, second, first):
        versions.point_to(version.number)
        assert versions.running() == version
        assert (tmp_path / "running/queues.yaml").read_bytes() == (
            version.config / "queues.yaml"
        ).read_bytes()


def test_an_interrupted_copy_is_no_version(tmp_path: Path) -> None:
    versions = Versions(tmp_path, tmp_path / "running")
    (tmp_path / ".1-0123456789ab.new/config").mkdir(parents=True)
    (tmp_path / "2-0123456789ab/config").mkdir(parents=True)  # without version.json
    assert versions.all() == []
    assert versions.keep({"a.yaml": b"a"}, {}).number == 1


def test_a_full_disk_leaves_no_half_version_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = Versions(tmp_path, tmp_path / "running")
    (tmp_path / ".1-0123456789ab.new/config").mkdir(parents=True)  # of an earlier kill

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        versions.keep({"a.yaml": b"a"}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_a_full_disk_took_only_half_of_is_not_taken_for_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path)
    first = history.begin(Change(0, 1, 0, ApplyState.TAKEN, T0, by="李"))
    real, room = os.write, [20]

    def almost_full(descriptor: int, line: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = real(descriptor, line[: room[0]])
        room[0] -= taken
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", almost_full)
        with pytest.raises(OSError, match="No space"):
            history.step(first.id, ApplyEvent.PROVED, T0 + 1)
    assert history.change(first.id).state is ApplyState.TAKEN
    assert history.step(first.id, ApplyEvent.PROVED, T0 + 2).state is ApplyState.PREPARED
    assert history.change(first.id).state is ApplyState.PREPARED


def test_a_folder_from_before_there_were_versions_becomes_a_link(tmp_path: Path) -> None:
    (tmp_path / "running").mkdir()
    (tmp_path / "running/a.yaml").write_text("a")
    (tmp_path / "new").mkdir()
    point(tmp_path / "running", tmp_path / "new")
    assert (tmp_path / "running").is_symlink()
    assert named_by(tmp_path / "running") == "new"
    assert (tmp_path / "running.before-versions/a.yaml").read_text() == "a"


def test_two_changes_at_once_are_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with only_one(settings), pytest.raises(ApplyRefused, match="another"), only_one(settings):
        pass
    with only_one(settings):
        pass


def test_undo_walks_back_and_never_in_a_circle() -> None:
    def done(number: int, version: int, former: int, how: str = "apply") -> Change:
        return Change(number, version, former, ApplyState.VERIFIED, T0, how=how)

    changes = [done(1, 1, 0, "start"), done(2, 2, 1), done(3, 3, 2), done(4, 2, 3, "undo")]
    assert parent_of(3, changes) == 2
    assert parent_of(2, changes) == 1, "after an undo of 3, not 3 again"
    assert parent_of(1, changes) == 0
    assert parent_of(4, [*changes, Change(5, 4, 2, ApplyState.REFUSED, T0)]) == 0


# -- differences -------------------------------------------------------------------------------
def many_versions(folder: Path, count: int, at: float) -> Versions:
    """Make versions that are all the same age."""
    versions = Versions(folder / "versions", folder / "running")
    for number in range(1, count + 1):
        made = folder / f"versions/{number}-{number:012x}"
        (made / "config").mkdir(parents=True)
        (made / "version.json").write_text(json.dumps({"version": number, "at": at}))
    return versions


def chain(count: int) -> list[Change]:
    return [Change(n, n, n - 1, ApplyState.VERIFIED, T0) for n in range(1, count + 1)]


def test_a_hundred_versions_stay_and_older_ones_only_for_a_year(tmp_path: Path) -> None:
    versions = many_versions(tmp_path, 130, T0)
    versions.point_to(130)
    assert keeping.forget_old(versions, chain(130), T0 + keeping.KEPT_S) == [], "not a year old"
    assert keeping.forget_old(versions, chain(130), T0 + keeping.KEPT_S + 1) == list(range(1, 31))
    assert [version.number for version in versions.all()] == list(range(31, 131))
    assert versions.keep({"a.yaml": b"a"}, {}).number == 131, "no number is given twice"
    assert not list((tmp_path / "versions").glob(".*"))


def test_what_runs_and_what_an_undo_goes_back_to_stays_however_old(tmp_path: Path) -> None:
    versions = many_versions(tmp_path, 130, T0)
    undone = [Change(200 + n, n, n + 1, ApplyState.VERIFIED, T0, how="undo") for n in range(129, 19, -1)]
    versions.point_to(20)
    gone = keeping.forget_old(versions, [*chain(130), *undone], T0 + 2 * keeping.KEPT_S)
    assert gone == [*range(1, 10), *range(21, 31)], "20 runs, and ten undos lead to 10"
    assert versions.running() is not None


def test_a_change_that_is_not_over_keeps_both_its_versions(tmp_path: Path) -> None:
    versions = many_versions(tmp_path, 130, T0)
    versions.point_to(130)
    open_one = Change(131, 5, 7, ApplyState.SWAPPED, T0)
    gone = keeping.forget_old(versions, [*chain(130), open_one], T0 + 2 * keeping.KEPT_S)
    assert not {5, 7} & set(gone)
    assert len(gone) == 28


def test_differences_are_told_by_name() -> None:
    old = small_book()
    new = small_book(
        queues=(*old.queues, QueueSpec("q_tax", "税务")),
        seats=old.seats[:-1],
        operators=(
            replace(old.operators[0], queues=("q_tax",)),
            *old.operators[1:],
            Operator("1009", "九", ()),
        ),
        greeting="P002",
    )
    told = compare(old, new)
    assert told["queues"] == {"added": ["q_tax"], "removed": [], "changed": []}
    assert told["seats"] == {"added": [], "removed": ["03"], "changed": []}
    assert told["operators"] == {"added": ["1009"], "removed": [], "changed": ["1001"]}
    assert told["others"] == ["greeting"]
    assert "lines" not in told
    assert summary(told) == "queues +1, seats -1, operators +1 ~1, greeting"
    assert ("operators", "1009", "", "1001") in rows(told)
    assert compare(old, small_book()) == {}
    assert len(compare(None, old)["lines"]["added"]) == 2


# -- the switch --------------------------------------------------------------------------------
class Host:
    """An engine that only remembers."""

    def __init__(self, book: HotlineBook) -> None:
        self.book = book
        self.placed: dict[str, int] = {}
        self.journalled: list[int] = []

    def placed_in(self, queue: str) -> int:
        return self.placed.get(queue, 0)

    def use(self, book: HotlineBook) -> None:
        self.book = book

    async def align(self) -> None:
        raise AmiDown("a moment ago it was there")

    def applied(self, version: int, by: str) -> None:
        self.journalled.append(version)


class FakeAsterisk:
    """Has what the pointer named when it was told, unless it is ``stubborn``; ``faults`` are raised one by one."""

    def __init__(self, settings: Settings) -> None:
        self._etc = deployment.etc(settings)
        self.has = named_by(self._etc)
        self.faults: list[HotlineError | None] = []
        self.stubborn = False
        self.callers: dict[str, int] = {}
        self.before_answer: Callable[[], None] = lambda: None

    async def tell(self, files: Sequence[str]) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        if not self.stubborn:
            self.has = named_by(self._etc)
        await asyncio.sleep(0)

    async def differences(self, wanted: Expected, gone: Expected) -> list[Difference]:
        self.before_answer()
        if self.has == named_by(self._etc):
            return []
        return [Difference("queue q_new is absent", "缺少队列 q_new")]

    async def waiting(self) -> dict[str, int]:
        return self.callers


class Scene:
    """Version 1 runs, version 2 is prepared as change 1."""

    def __init__(self, home: Path, *, queue: str = "q_new") -> None:
        self.settings = Settings(home=home)
        (home / "versions").mkdir(parents=True)
        versions = versions_of(self.settings)
        reading = read(SHIPPED)
        added = f"  - {{id: {queue}, name: 新}}\n".encode()
        files = {**reading.files, "queues.yaml": reading.files["queues.yaml"] + added}
        for number, content in ((1, reading.files), (2, files)):
            versions.keep(content, {})
            pieces = deployment.rendered(self.settings, f"{number}" * 16) / "ivr12345"
            pieces.mkdir(parents=True)
            (pieces / "queues.conf").write_text(f"[q{number}]\nstrategy = random\n")
            (pieces / "pjsip.conf").write_text("[seat01]\ntype = endpoint\n")
            (pieces / "extensions.conf").write_text("[ivr-numbers]\nexten => 12345,1,NoOp()\n")
        self.asterisk_runs(1)
        self.host = Host(book_of(versions.version(1)))
        self.asterisk = FakeAsterisk(self.settings)
        self.history = history_of(self.settings)
        begun = self.history.begin(Change(0, 2, 1, ApplyState.TAKEN, T0, by="李"))
        self.number = begun.id
        self.history.step(begun.id, ApplyEvent.PROVED, T0, rendered="2" * 16, former_rendered="1" * 16)

    def asterisk_runs(self, number: int) -> None:
        point(deployment.etc(self.settings), deployment.rendered(self.settings, f"{number}" * 16))
        versions_of(self.settings).point_to(number)

    def switch(self, between: Callable[[ApplyState], None] = lambda _: None) -> Switch:
        return Switch(self.settings, self.host, self.asterisk, between)

    def runs(self) -> int:
        """Return the version that runs whole: in both pointers, in Asterisk and in the engine."""
        running = versions_of(self.settings).running()
        assert running is not None
        name = f"{running.number}" * 16
        assert named_by(deployment.etc(self.settings)) == name
        assert self.asterisk.has == name
        assert ("q_new" in {queue.id for queue in self.host.book.queues}) == (running.number == 2)
        return running.number

    @property
    def change(self) -> Change:
        return self.history.change(self.number)

    def start_again(self) -> None:
        """Start an engine as its process does."""
        resume(self.settings)
        running = versions_of(self.settings).running()
        assert running is not None
        self.host = Host(book_of(running))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_a_change_comes_into_service_and_is_journalled(scene: Scene) -> None:
    done = await scene.switch().change(scene.number)
    assert (done.state, scene.runs()) == (ApplyState.VERIFIED, 2)
    assert scene.host.journalled == [2]
    with pytest.raises(ApplyRefused, match="over"):
        await scene.switch().change(scene.number)
    assert scene.change.state is ApplyState.VERIFIED


async def test_a_difference_brings_the_former_version_back(scene: Scene) -> None:
    scene.asterisk.stubborn = True
    with pytest.raises(ApplyRefused, match="q_new is absent") as refused:
        await scene.switch().change(scene.number)
    assert "version 1 goes on" in refused.value.sentence
    assert (scene.change.state, scene.runs()) == (ApplyState.ROLLED_BACK, 1)
    assert "q_new" in scene.change.why
    assert scene.host.journalled == []


async def test_a_refused_reload_brings_the_former_version_back(scene: Scene) -> None:
    scene.asterisk.faults = [AmiRefused("Asterisk refused Reload: no")]
    with pytest.raises(ApplyRefused, match="refused Reload"):
        await scene.switch().change(scene.number)
    assert (scene.change.state, scene.runs()) == (ApplyState.ROLLED_BACK, 1)


async def test_an_asterisk_that_went_away_is_set_right_when_it_is_back(scene: Scene) -> None:
    scene.asterisk.faults = [AmiDown("the line is cut"), AmiDown("the line is cut"), AmiDown("still")]
    switch = scene.switch()
    with pytest.raises(ApplyRefused, match="when it does"):
        await switch.change(scene.number)
    assert scene.change.state is ApplyState.ROLLING_BACK
    await switch.settle()
    assert scene.change.state is ApplyState.ROLLING_BACK
    await switch.settle()
    assert (scene.change.state, scene.runs()) == (ApplyState.ROLLED_BACK, 1)


@pytest.mark.parametrize(
    ("vanished", "placed", "waiting", "refused"),
    [(True, 0, 2, True), (True, 1, 0, True), (True, 0, 0, False), (False, 0, 2, False)],
)
async def test_a_queue_with_people_in_it_cannot_go(
    scene: Scene, vanished: bool, placed: int, waiting: int, refused: bool
) -> None:
    queue = "q_old" if vanished else "q_general"
    old = scene.host.book
    scene.host.book = replace(old, queues=(*old.queues, QueueSpec("q_old", "旧")))
    scene.host.placed, scene.asterisk.callers = {queue: placed}, {queue: waiting}
    before = scene.host.book
    if not refused:
        await scene.switch().change(scene.number)
        assert scene.runs() == 2
        return
    with pytest.raises(ApplyRefused, match="q_old cannot go"):
        await scene.switch().change(scene.number)
    assert scene.host.book is before, "callers go on being placed there"
    assert (scene.change.state, named_by(deployment.etc(scene.settings))) == (ApplyState.REFUSED, "1" * 16)


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        ("hotline.yaml", "511100", "511101", "region"),
        ("hotline.yaml", "Asia/Shanghai", "Asia/Urumqi", "timezone"),
    ],
)
async def test_what_tickets_are_numbered_by_changes_only_at_a_start(
    scene: Scene, file: str, old: str, new: str, word: str
) -> None:
    path = versions_of(scene.settings).version(2).config / file
    text = path.read_text()
    path.chmod(0o600)
    path.write_text(text.replace(old, new))
    with pytest.raises(ApplyRefused, match=word):
        await scene.switch().change(scene.number)
    assert scene.change.state is ApplyState.REFUSED


async def test_files_that_only_a_start_can_change_are_refused(scene: Scene) -> None:
    (deployment.rendered(scene.settings, "2" * 16) / "manager.conf").write_text("port = 1")
    with pytest.raises(ApplyRefused, match=r"manager\.conf"):
        await scene.switch().change(scene.number)
    assert (scene.change.state, scene.runs()) == (ApplyState.REFUSED, 1)


async def test_a_pointer_that_cannot_be_written_changes_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.replace

    def full(path: Path, target: Path) -> Path:
        if path.name == "running.new" and "2-" in str(path.readlink()):
            raise OSError(28, "No space left on device")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(HotlineError, match="the disk is full"):
        await scene.switch().change(scene.number)
    assert scene.runs() == 1
    assert scene.change.state is ApplyState.REFUSED


async def test_a_second_change_waits_for_nobody_and_is_refused(scene: Scene) -> None:
    switch = scene.switch()
    first = asyncio.ensure_future(switch.change(scene.number))
    await asyncio.sleep(0)
    with pytest.raises(ApplyRefused, match="another change"):
        await switch.change(scene.number)
    assert (await first).state is ApplyState.VERIFIED


# -- killed in the middle ----------------------------------------------------------------------
CUTS = {
    "before the switch": (ApplyState.PREPARED, False, 1, ApplyState.ROLLED_BACK),
    "after the pointers": (ApplyState.SWAPPED, False, 2, ApplyState.VERIFIED),
    "after the pointers, and Asterisk differs": (ApplyState.SWAPPED, True, 1, ApplyState.ROLLED_BACK),
    "while rolling back": (ApplyState.ROLLING_BACK, True, 1, ApplyState.ROLLED_BACK),
    "after it was verified": (ApplyState.VERIFIED, False, 2, ApplyState.VERIFIED),
    "after it was rolled back": (ApplyState.ROLLED_BACK, True, 1, ApplyState.ROLLED_BACK),
}


@pytest.mark.parametrize("cut", CUTS)
async def test_whatever_is_killed_one_version_is_whole_after_the_start(scene: Scene, cut: str) -> None:
    where, scene.asterisk.stubborn, runs, ends = CUTS[cut]

    def kill(state: ApplyState) -> None:
        if state is where:
            raise Killed

    with pytest.raises(Killed):
        await scene.switch(kill).change(scene.number)
    scene.start_again()
    await scene.switch().settle()
    assert (scene.change.state, scene.runs()) == (ends, runs)
    assert scene.change.why or ends is ApplyState.VERIFIED
    after = scene.history.changes()
    scene.start_again()
    await scene.switch().settle()
    assert scene.history.changes() == after, "settled is settled"


async def test_a_kill_while_asterisk_is_asked_is_finished_after_the_start(scene: Scene) -> None:
    def kill() -> None:
        raise Killed

    scene.asterisk.before_answer = kill
    with pytest.raises(Killed):
        await scene.switch().change(scene.number)
    assert scene.change.state is ApplyState.SWAPPED
    scene.asterisk.before_answer = lambda: None
    scene.start_again()
    await scene.switch().settle()
    assert (scene.change.state, scene.runs()) == (ApplyState.VERIFIED, 2)
    assert "finished" in scene.change.why


@pytest.mark.parametrize("moved", ["etc", "running", "both"])
async def test_a_kill_between_the_two_pointers_puts_both_back(scene: Scene, moved: str) -> None:
    if moved in ("etc", "both"):
        point(deployment.etc(scene.settings), deployment.rendered(scene.settings, "2" * 16))
    if moved in ("running", "both"):
        versions_of(scene.settings).point_to(2)
    scene.start_again()
    await scene.switch().settle()
    assert (scene.change.state, scene.runs()) == (ApplyState.ROLLED_BACK, 1)


def test_a_command_killed_while_it_examines_is_told_so(scene: Scene) -> None:
    begun = scene.history.begin(Change(0, 2, 1, ApplyState.TAKEN, T0))
    with only_one(scene.settings):
        resume(scene.settings)
        assert scene.history.change(begun.id).state is ApplyState.TAKEN, "its command is at work"
    resume(scene.settings)
    assert scene.history.change(begun.id).state is ApplyState.REFUSED
    begun = scene.history.begin(Change(0, 2, 1, ApplyState.TAKEN, T0))
    forget_interrupted(scene.settings)
    assert "interrupted" in scene.history.change(begun.id).why


# -- starting everything -----------------------------------------------------------------------
@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home where nothing ran, with a folder of its own; Asterisk's files are made and not proved."""
    shutil.copytree(SHIPPED, tmp_path / "queues")
    return Settings(home=tmp_path / "home", config=tmp_path / "queues", asterisk="external")


def start(settings: Settings, told: list[str] | None = None) -> tuple[HotlineBook, int]:
    """Start everything; return the book and the version that runs."""
    from ivr.rollout.start import take_up

    book = take_up(settings, None, (told if told is not None else []).append)
    for change in history_of(settings).changes():
        if change.state is ApplyState.SWAPPED:  # the engine asks the city's Asterisk
            history_of(settings).step(change.id, ApplyEvent.VERIFIED, T0)
    running = versions_of(settings).running()
    assert running is not None
    return book, running.number


def edit(settings: Settings, old: str, new: str, file: str = "operators.yaml") -> None:
    path = settings.config / file
    path.write_text(path.read_text().replace(old, new))


def test_a_start_takes_up_what_is_new_and_only_that(home: Settings) -> None:
    assert start(home)[1] == 1
    assert start(home)[1] == 1
    edit(home, "话务员01", "张三")
    book, number = start(home)
    assert number == 2
    assert book.operators[0].name == "张三"
    assert [change.how for change in history_of(home).changes()] == ["start", "start"]


def test_a_broken_folder_does_not_keep_a_hotline_from_starting(home: Settings) -> None:
    edit(home, "operators:", "operators: [")
    with pytest.raises(HotlineError, match=r"operators\.yaml"):
        start(home)
    edit(home, "operators: [", "operators:")
    start(home)
    edit(home, "operators:", "operators: [")
    told: list[str] = []
    assert start(home, told)[1] == 1
    assert "operators.yaml" in told[0]


def test_whoever_starts_with_a_broken_folder_is_told_so(
    home: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ivr.cli.process import tell_what_was_left

    monkeypatch.setenv("IVR_LANGUAGE", "en")
    start(home)
    ours = home.model_copy(update={"asterisk": None})
    tell_what_was_left(ours)
    assert capsys.readouterr().err == ""
    (home.config / "queues.yaml").write_text("queues: []")
    assert start(home)[1] == 1
    tell_what_was_left(ours)
    assert f"{home.config} has a fault and was not taken up" in capsys.readouterr().err


def test_whoever_starts_while_calls_go_on_is_told_of_a_fault_only_where_there_is_one(
    home: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Asterisk that was kept runs what it ran; the folder is not even looked into."""
    from ivr.cli.process import tell_what_was_left

    monkeypatch.setenv("IVR_LANGUAGE", "en")
    start(home)
    ours = home.model_copy(update={"asterisk": None})
    file = home.config / "queues.yaml"
    text = file.read_text()
    file.write_text("# touched\n" + text)
    tell_what_was_left(ours)
    assert "was changed and not taken up" in capsys.readouterr().err
    file.unlink()
    file.write_text(text)  # another time of change, the same version
    tell_what_was_left(ours)
    assert capsys.readouterr().err == ""


def test_what_was_undone_does_not_come_back_at_a_start(home: Settings) -> None:
    start(home)
    edit(home, "话务员01", "张三")
    start(home)
    history, seen = history_of(home), history_of(home).changes()[-1].seen
    begun = history.begin(Change(0, 1, 2, ApplyState.PREPARED, T0, how="undo", seen=seen))
    history.step(begun.id, ApplyEvent.SWAPPED, T0)
    history.step(begun.id, ApplyEvent.VERIFIED, T0)
    versions_of(home).point_to(1)
    assert start(home)[1] == 1
    edit(home, "张三", "李四")
    assert start(home)[1] == 3


def test_after_a_power_cut_in_the_middle_the_former_version_starts(scene: Scene) -> None:
    from ivr.rollout.start import settle_without_asterisk

    scene.asterisk_runs(2)
    scene.history.step(scene.number, ApplyEvent.SWAPPED, T0)
    settle_without_asterisk(scene.settings)
    assert (scene.change.state, scene.runs()) == (ApplyState.ROLLED_BACK, 1)
    assert "stopped" in scene.change.why


def test_what_ran_before_there_were_versions_is_the_first_one(home: Settings) -> None:
    home.home.mkdir()
    shutil.copytree(home.config, home.running_config)
    etc = deployment.etc(home)
    etc.mkdir(parents=True)
    (etc / "asterisk.conf").write_text("old")
    edit(home, "话务员01", "张三")
    book, number = start(home)
    assert (number, book.operators[0].name) == (2, "张三")
    [first, second] = history_of(home).changes()
    assert (first.version, second.former) == (1, 1)
    assert (deployment.rendered(home, second.former_rendered) / "asterisk.conf").read_text() == "old"
    assert etc.readlink().parts[0] == "rendered"


# -- in the engine -----------------------------------------------------------------------------
def test_who_is_gone_leaves_the_seat_after_the_call(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from ivr.home.secrets import Keys
    from ivr.rollout.live import Service

    journal: list[Event] = []
    calls = CallBook(journal.append)
    holder = SimpleNamespace(book=small_book())
    keys = Keys()

    async def align() -> None:
        return None

    service = Service(Settings(home=tmp_path), holder, calls, keys, align, lambda: T0)
    for seat, operator in (("01", "1001"), ("02", "1002"), ("03", "1003")):
        calls.record(Event(f"seat:{seat}", T0, Kind.LOGGED_IN, {"operator": operator}))
    calls.record(Event("c1", T0, Kind.CALL_STARTED, {}))
    calls.record(Event("c1", T0, Kind.QUEUED, {"queue": "q_general"}))
    assert service.placed_in("q_general") == 1
    calls.record(Event("c1", T0, Kind.ANSWERED, {"seat": "02", "operator": "1002"}))
    assert service.placed_in("q_general") == 0
    book = small_book()
    service.use(
        replace(
            book,
            seats=(Seat("01", "8001"), Seat("04", "8004")),
            operators=(*book.operators[1:], Operator("1009", "九", ())),
        )
    )
    assert {seat for seat in ("01", "02", "03") if calls.operator_on(seat)} == {"02"}, (
        "01's operator, 03's seat are gone"
    )
    calls.record(Event("c1", T0, Kind.HUNG_UP, {}))
    service.retire()
    assert calls.operator_on("02") is None
    assert len(keys.pins["1009"]) == 6
    assert keys.sip["seat04"]
    service.applied(2, "李")
    assert journal[-1].stream == HOTLINE
    assert HOTLINE not in calls.calls
    assert HOTLINE not in calls.seats


def test_a_reader_is_a_function_that_can_be_swapped(tmp_path: Path) -> None:
    """The configuration's own reader takes the place of ours."""
    from ivr.rollout.prepare import take

    def refuse(_: Path) -> Reading:
        raise HotlineError("operators.yaml:3: mend it")

    with pytest.raises(HotlineError, match=r"operators\.yaml:3"):
        take(Settings(home=tmp_path), tmp_path, "李", lambda *_: None, reader=refuse)
    assert not (tmp_path / "versions").exists()
