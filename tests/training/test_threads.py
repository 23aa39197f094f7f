"""How many threads compute on a CPU: what chooses their number, and trainings that keep it and write it down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import zoo
from helpers.packs import pictures
from helpers.reporters import Heard
from helpers.training import TINY, differing, newest, resume, train
from zoo.devices import Runtime
from zoo.runs.budget import Budget
from zoo.runs.run import read_log, read_run
from zoo.training import choosing, processor, threads
from zoo.training.batches import helper_thread
from zoo.training.choosing import BLOCKED, FREE, OTHERS, SLOWER, TOO_MANY, Change, Chooser, candidates
from zoo.training.processor import Usage, read_usage
from zoo.training.threads import check_threads
from zoo_cli.main import zoo as command
from zoo_core import UsageError

FOREVER = 1e9


class Machine:
    """Made-up processors and a training on them that takes `work` seconds a step on one thread.

    A thread that shares its processor keeps the others of a step waiting: the step takes `sharing` times as long.
    """

    def __init__(
        self,
        processors: int = 2,
        busy: Callable[[float], float] = lambda now: 0.0,
        *,
        number: int | None = None,
        work: float = 0.5,
        sharing: float = 4.0,
        visible: bool = True,
        slowed: Callable[[float], float] = lambda now: 1.0,
    ) -> None:
        self.processors, self.busy, self.work, self.sharing, self.visible = processors, busy, work, sharing, visible
        self.slowed = slowed
        self.now = self.own = self.total = 0.0
        self.changes: list[tuple[float, Change]] = []
        self.used: list[tuple[float, int]] = []  # when each step ended, and on how many threads
        number = number or processors
        self.chooser = Chooser(number, max(number, processors), 32, granted=processors, read=self.read)

    def read(self) -> Usage:
        return Usage(self.now, self.own, self.total if self.visible else None)

    def pass_time(self, seconds: float, own: float) -> None:
        self.now, self.own = self.now + seconds, self.own + own * seconds
        self.total += seconds * min(self.processors, own + self.busy(self.now))

    def step(self, kind: str = "both", cost: float = 1.0, left: float = FOREVER) -> None:
        number, busy = self.chooser.number, self.busy(self.now)
        shared = number + busy > self.processors
        seconds = cost * self.work / min(number, self.processors) * (self.sharing if shared else 1.0) * self.slowed(self.now)
        self.pass_time(seconds, min(number, self.processors) * (0.55 if shared else 0.96))
        self.used.append((self.now, number))
        if change := self.chooser.after_step(kind, seconds, lambda step: left):
            self.changes.append((self.now, change))

    def run(self, until: float, left: float = FOREVER) -> Machine:
        while self.now < until:
            self.step(left=left)
        return self

    def numbers(self, since: float = 0.0, until: float = FOREVER) -> set[int]:
        return {number for now, number in self.used if since <= now < until}


def between(begin: float, end: float, others: float = 1.0) -> Callable[[float], float]:
    return lambda now: others if begin <= now < end else 0.0


# What is tried


def test_all_all_but_one_half_and_one_are_tried() -> None:
    assert candidates(16, 16) == [16, 15, 8, 1]
    assert candidates(2, 2) == [2, 1]
    assert candidates(1, 1) == [1]
    assert candidates(64, 4) == [64, 4, 3, 2, 1]  # a container of four processors on a machine of 64


def test_a_quiet_machine_keeps_all() -> None:
    machine = Machine(8).run(600)
    assert (machine.numbers(), machine.changes) == ({8}, [])


def test_one_busy_process_beside_two_threads() -> None:
    machine = Machine(2, between(0, FOREVER)).run(90)
    ((when, change),) = machine.changes
    assert when < 8
    assert (change.before, change.after, change.reason) == (2, 1, OTHERS)
    assert machine.numbers(since=when + 1) == {1}
    assert str(change) == (
        "others use the processor: training on 1 thread from here, 64 images/s instead of 32"  # 32 / 0.5, 32 / (0.25 × 4)
    )
    steps = len(machine.used)
    assert steps > 0.9 * 90 / 0.5  # of what one thread from the start would have done


def test_all_but_one_of_many() -> None:
    machine = Machine(16, between(20, FOREVER)).run(120)
    assert [(change.before, change.after) for _, change in machine.changes] == [(16, 15)]
    assert 20 < machine.changes[0][0] < 32
    assert set(machine.changes[0][1].speeds) == {16, 15, 8}  # eight are far slower than fifteen: one is not tried


def test_quiet_again() -> None:
    machine = Machine(2, between(30, 90)).run(200)
    assert [(change.after, change.reason) for _, change in machine.changes] == [(1, OTHERS), (2, FREE)]
    assert machine.changes[0][0] < 38
    assert 90 < machine.changes[1][0] < 100
    assert machine.numbers(since=110) == {2}


def test_room_for_some_more() -> None:
    machine = Machine(16, lambda now: 15.0 if now < 60 else 5.0, number=1).run(120)
    assert machine.changes[-1][1].after == 8


def test_short_trainings_measure_nothing() -> None:
    machine = Machine(2, between(0, FOREVER)).run(120, left=59)
    assert (machine.numbers(), machine.changes) == ({2}, [])


def test_a_moment_of_work_is_no_reason() -> None:
    def blips(now: float) -> float:
        return 1.0 if now % 10 < 0.6 else 0.0

    assert Machine(2, blips).run(300).numbers() == {2}


def test_little_work_of_others_is_none() -> None:
    assert Machine(2, lambda now: 0.15, sharing=1.1).run(300).numbers() == {2}


def test_no_flapping_between_busy_and_free() -> None:
    """A load that comes and goes every few seconds: measuring and what it may cost stay a small part."""
    machine = Machine(2, lambda now: float(now % 8 < 4)).run(600)
    assert len(machine.changes) < 600 / 10
    waits = [after - before for (before, _), (after, _) in pairwise(machine.changes)]
    assert min(waits) >= choosing.PAUSE


def test_what_changes_nothing_is_asked_less_and_less() -> None:
    """Two threads stay the faster ones beside others: after each measurement the pause is twice as long."""
    machine = Machine(2, between(0, FOREVER), sharing=1.2).run(1200)
    assert machine.changes == []
    begun = [now for (before, last), (now, number) in pairwise(machine.used) if number < last]
    assert 2 <= len(begun) <= 8
    pauses = [after - before for before, after in pairwise(begun)]
    assert all(after > 1.5 * before for before, after in pairwise(pauses[:4]))


def test_a_gain_within_the_noise_is_no_gain() -> None:
    machine = Machine(2, between(0, FOREVER), sharing=2.1).run(120)  # one thread is 5 % faster
    assert machine.changes == []


def test_steps_that_take_longer_without_a_visible_cause() -> None:
    """Another guest of the host, whose use the system does not tell, slows the second processor down."""
    machine = Machine(2)
    machine.slowed = lambda now: 3.0 if now > 60 and machine.chooser.number == 2 else 1.0
    machine.run(80)
    assert [(change.after, change.reason) for _, change in machine.changes][:1] == [(1, SLOWER)]


def test_a_container_with_fewer_processors_than_it_sees() -> None:
    machine = Machine(4, number=64).run(60)
    assert machine.changes[0][1].reason == TOO_MANY
    assert machine.numbers(since=20) == {4}


def test_where_the_system_does_not_tell_what_others_do() -> None:
    machine = Machine(2, between(30, 90), visible=False).run(400)
    assert [(change.after, change.reason) for _, change in machine.changes] == [(1, BLOCKED), (2, FREE)]
    assert Machine(2, visible=False).run(300).numbers() == {2}


def test_interludes_are_no_sign_of_others_there() -> None:
    machine = Machine(2, visible=False)
    for _ in range(400):
        machine.step()
        machine.pass_time(0.5, 0.1)  # waits for a disk
    assert machine.numbers() == {2}


def test_only_steps_of_the_usual_kind_are_compared() -> None:
    """Every fourth step has a penalty and takes five times as long: whoever gets it in his turn loses nothing by it."""
    machine = Machine(2, between(0, FOREVER), sharing=2.0 * 1.3)  # one thread is 30 % faster
    for number in range(200):
        machine.step(*(("penalty", 5.0) if number % 4 == 3 else ("plain", 1.0)))
    ((_, change),) = machine.changes
    assert (change.before, change.after) == (2, 1)
    assert change.speeds[1] / change.speeds[2] == pytest.approx(1.3, rel=0.01)


def test_what_is_in_use_stays_settled_while_others_are_tried() -> None:
    machine = Machine(2, between(0, FOREVER))
    while machine.chooser.trial is None:
        machine.step()
    assert (machine.chooser.number, machine.chooser.settled, machine.chooser.decided) == (1, 2, False)


# What the system tells


def test_use_of_the_processors_that_this_process_may_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 0 50 800 20 1 2 7 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 5\n")
    monkeypatch.setattr(processor, "STAT", stat)
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda pid: {0}, raising=False)
    monkeypatch.setattr(processor.os, "sysconf", lambda name: 100, raising=False)
    assert read_usage().total == pytest.approx((100 + 50 + 1 + 2 + 7) / 100)
    stat.write_text("nothing of use")
    assert read_usage().total is None
    stat.unlink()
    assert read_usage().total is None


def test_what_others_had() -> None:
    used = Usage(12.0, 5.0, 30.0).since(Usage(10.0, 2.0, 25.0))
    assert (used.others, used.processors) == (1.0, 1.5)
    assert Usage(12.0, 5.0).since(Usage(10.0, 2.0, 25.0)).others is None


@pytest.mark.parametrize(("text", "granted"), [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("", 8)])
def test_a_quota_of_processors(text: str, granted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(processor, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(processor, "count_processors", lambda: 8)
    assert processor.count_granted() == granted


# What is asked for


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "--threads must be 1 or more, not 0"),
        ("-1", "--threads must be 1 or more, not -1"),
        ("x", "--threads takes auto or a number of threads, not 'x'"),
        ("", "--threads takes auto or a number of threads, not ''"),
        (1.5, "--threads takes auto or a number of threads, not 1.5"),
        (True, "--threads takes auto or a number of threads, not True"),
        ("5", "--threads 5 is more than the 4 processors of this machine: threads would wait for each other"),
    ],
)
def test_numbers_that_make_no_sense(value: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "count_processors", lambda: 4)
    with pytest.raises(UsageError) as caught:
        check_threads(value)
    assert (caught.value.message, caught.value.hint) == (message, "valid: auto, 1 to 4")


def test_numbers_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "count_processors", lambda: 4)
    assert [check_threads(value) for value in (None, "auto", "1", 4)] == [None, None, 1, 4]


@pytest.mark.parametrize("name", ["train", "bench", "compare"])
def test_refused_by_commands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"train": ["--dataset", "faces"], "bench": [], "compare": ["--dataset", "faces", "--images", "9", "--out", "c"]}
    done = CliRunner().invoke(command, [name, "dcgan", *words[name], "--threads", "0"])
    assert done.exit_code == 2
    assert "--threads must be 1 or more, not 0" in done.output
    assert list(tmp_path.iterdir()) == []


# Whole trainings


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine of four processors of which torch takes two."""
    before = torch.get_num_threads()
    for module in (threads, processor):
        monkeypatch.setattr(module, "count_processors", lambda: 4)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data(tmp_path: Path, cache: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def recorded(run: Path) -> Any:
    return json.loads((newest(run) / "state.json").read_text())["threads"]


def test_recorded_and_gone_on_with(two: None, data: Path, tmp_path: Path) -> None:
    train("dcgan", data, tmp_path / "run", images=16, threads=1)
    assert torch.get_num_threads() == 2
    assert recorded(tmp_path / "run") == 1
    assert read_run(tmp_path / "run").threads == 1
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (written["threads"], written["machine"]["threads"]) == (1, 1)
    report = Heard()
    resume(tmp_path / "run", images=32, report=report)
    assert recorded(tmp_path / "run") == 1
    assert "thread" not in report.text
    report = Heard()
    resume(tmp_path / "run", images=48, threads=2, report=report)
    assert "the run used 1 thread so far and goes on with 2: bits differ from those with 1" in report.text
    assert recorded(tmp_path / "run") == 2


def test_the_recorded_number_is_where_auto_begins(two: None, data: Path, tmp_path: Path) -> None:
    """As after an interruption of a training that others had driven to one thread."""
    train("dcgan", data, tmp_path / "run", images=16)
    assert recorded(tmp_path / "run") == 2
    assert json.loads((tmp_path / "run" / "run.json").read_text())["threads"] == "auto"
    record = read_run(tmp_path / "run")
    resume(tmp_path / "run", images=32, threads=1)
    zoo.runs.run.write_run(tmp_path / "run", record)
    resume(tmp_path / "run", images=48)
    assert recorded(tmp_path / "run") == 1


def test_a_smaller_machine(two: None, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("dcgan", data, tmp_path / "run", images=16, threads=2)
    monkeypatch.setattr(threads, "count_processors", lambda: 1)
    report = Heard()
    resume(tmp_path / "run", images=32, report=report)
    assert "the run used 2 threads, this machine has 1: it goes on with 1, and bits may differ" in report.text
    assert recorded(tmp_path / "run") == 1


def test_a_run_from_before_there_was_a_record(two: None, data: Path, tmp_path: Path) -> None:
    from zoo.runs.checkpoints import read_checkpoint, write_checkpoint

    train("dcgan", data, tmp_path / "run", images=16, threads=1)
    place = newest(tmp_path / "run")
    state, tensors = read_checkpoint(place)
    write_checkpoint(place.parent, {key: value for key, value in state.items() if key != "threads"}, tensors, 2)
    file = tmp_path / "run" / "run.json"
    file.write_text(json.dumps({key: v for key, v in json.loads(file.read_text()).items() if key != "threads"}))
    resume(tmp_path / "run", images=32)
    assert recorded(tmp_path / "run") == 2


class Eager(Chooser):
    """Sees a reason at once, and finds that one thread is the fastest."""

    def after_step(self, kind: object, seconds: float, left: Callable[[float], float]) -> Change | None:
        if self.number == 1 or left(seconds) <= 0:
            return None
        self.number = self.settled = 1
        return Change(2, 1, {1: 70.25, 2: 31.0}, OTHERS)


def test_a_change_is_said_and_written_down(two: None, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "Chooser", Eager)
    report = Heard()
    run = train("dcgan", data, tmp_path / "run", images=64, report=report)
    said = "others use the processor: training on 1 thread from here, 70.2 images/s instead of 31"
    assert report.lines.count(said) == 1
    lines = read_log(run.path / "metrics.jsonl")
    told = {"before": 2, "after": 1, "images_per_s": {"1": 70.25, "2": 31.0}}
    assert [line["threads"] for line in lines if "threads" in line] == [told]
    assert recorded(run.path) == 1
    written = json.loads((run.path / "run.json").read_text())
    assert (written["threads"], written["machine"]["threads"]) == ("auto", 1)
    assert torch.get_num_threads() == 2
    diagnosis = zoo.diagnose(run.path)  # the line is no measure to anybody who reads the log
    assert set(diagnosis.measures_by_name()) == {"diversity"}
    resume(run.path, images=128)
    assert len([line for line in read_log(run.path / "metrics.jsonl") if "threads" in line]) == 1


@pytest.mark.parametrize("how", [{"threads": 2}, {"deterministic": True}, {"compile": True}])
def test_kept_for_good(how: dict[str, Any], monkeypatch: pytest.MonkeyPatch, two: None) -> None:
    plan = zoo.plan("dcgan", dataset="faces", options=TINY, device="cpu", **{k: v for k, v in how.items() if k != "compile"})
    keep = plan.deterministic or how.get("compile", False)
    where, budget = Runtime(torch.device("cpu")), Budget("minutes", 60)
    with threads.choose_threads(plan.threads, None, budget, 32, where, Heard(), keep=keep) as chosen:
        assert (chosen.number, chosen.chooser) == (2, None)


def test_several_processes_do_not_choose_each_by_itself(two: None) -> None:
    where, budget = Runtime(torch.device("cpu"), rank=0, world=2), Budget("minutes", 60)
    with threads.choose_threads(None, 4, budget, 32, where, Heard(), keep=False) as chosen:
        assert (chosen.number, chosen.chooser, torch.get_num_threads()) == (2, None, 2)
    with threads.choose_threads(1, None, budget, 32, where, Heard(), keep=False) as chosen:
        assert (chosen.number, chosen.chooser, torch.get_num_threads()) == (1, None, 1)


def test_nothing_elsewhere(two: None) -> None:
    report, where = Heard(), Runtime(torch.device("meta"))
    with threads.choose_threads(1, 1, Budget("images", 1), 32, where, report, keep=False) as chosen:
        assert (chosen.number, chosen.chooser, torch.get_num_threads()) == (None, None, 2)
    assert report.lines == ["--threads 1 changes nothing: the networks compute on meta"]


def test_interrupted_and_resumed_with_a_fixed_number(two: None, data: Path, tmp_path: Path) -> None:
    whole = train("dcgan", data, tmp_path / "whole", images=64, threads=1)
    train("dcgan", data, tmp_path / "parts", images=64, threads=1, stop_at=24)
    parts = resume(tmp_path / "parts")
    assert parts.finished
    assert differing(whole.path, parts.path) == []


def test_a_number_that_something_in_between_has_changed_is_set_again(two: None, data: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def measure(generator: object) -> float:
        seen.append(torch.get_num_threads())
        torch.set_num_threads(2)
        return 1.0

    evaluation = zoo.Evaluation("made-up", measure, every=16)
    train("dcgan", data, tmp_path / "run", images=64, threads=1, evaluation=evaluation)
    assert seen == [1] * len(seen)
    assert len(seen) >= 3


def test_bench_says_how_many(two: None) -> None:
    found = zoo.bench("dcgan", options=TINY, device="cpu", precision="fp32", threads=1, rounds=1, steps=1)
    assert found.threads == 1
    assert torch.get_num_threads() == 2


def test_the_thread_that_prepares_minibatches_has_no_helpers(two: None) -> None:
    with helper_thread() as pool:
        assert (pool.submit(torch.get_num_threads).result(), torch.get_num_threads()) == (1, 2)
        for number in (1, 2):  # as a training does that chooses
            torch.set_num_threads(number)
            assert (pool.submit(torch.get_num_threads).result(), torch.get_num_threads()) == (1, number)
