"""A machine whose processors are full lets nobody more in, and everybody again when it has room."""

from __future__ import annotations

import os

from ivr.admission.capacity import capacity, overloaded
from ivr.admission.strain import Strain
from ivr.asterisk.facts.cpu_use import CpuUse
from ivr.host import processes


def test_a_full_machine_lets_in_as_many_as_leave() -> None:
    strain = Strain(2)
    assert strain.judge(1.2, 400) is None
    assert strain.judge(1.4, 430) == 430
    assert strain.judge(1.45, 440) == 430, "who was on the way is not the new limit"
    assert strain.judge(1.2, 410) == 430, "between the marks nothing changes"


def test_a_machine_out_of_breath_lets_fewer_in_than_are_there() -> None:
    strain = Strain(2)
    assert strain.judge(1.8, 500) == 475
    assert strain.judge(1.8, 475) == 451


def test_when_there_is_room_again_ports_alone_decide() -> None:
    strain = Strain(2)
    strain.judge(1.4, 450)
    assert strain.judge(1.0, 380) is None


def test_a_flood_of_packets_does_not_close_the_hotline() -> None:
    strain = Strain(2)
    assert strain.judge(2.0, 3) == 300


def test_nobody_is_counted_while_the_machine_has_room() -> None:
    strain = Strain(2)
    assert not strain.may_matter(1.0)
    assert strain.may_matter(1.5)
    strain.judge(1.5, 450)
    assert strain.may_matter(1.0), "the limit is still to be lifted"


def test_who_reads_the_alarm_learns_that_cores_are_missing_and_not_ports() -> None:
    held = capacity(800, 24)
    (fault,) = overloaded(430, held, 430)
    assert "430 callers" in fault.sentence and "core" in fault.sentence and "处理器" in fault.sentence_zh
    assert overloaded(100, held, None) == []


def test_the_cores_that_a_process_keeps_busy_are_measured() -> None:
    now = [100.0]
    use = CpuUse(lambda: processes.of(os.getpid()), lambda: now[0])
    assert use.look() is None, "nothing to compare with"
    before = processes.cpu_seconds(os.getpid())
    assert before is not None
    spent = before
    while spent < before + 0.2:
        spent = processes.cpu_seconds(os.getpid()) or 0.0
    now[0] += 0.5
    seen = use.look()
    assert seen is not None and seen >= 0.35


def test_of_a_process_that_is_not_known_nothing_is_said() -> None:
    assert CpuUse(lambda: None).look() is None
