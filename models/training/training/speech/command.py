"""`python -m training synthesise`: makes a corpus on one or more processes, and says how it goes."""

import argparse
import multiprocessing
import queue
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from training.errors import TrainingFault
from training.speech import synthesise
from training.speech.engines import voices_for
from training.speech.synthesise import Settings, ShardDone
from training.text import sentences
from training.text.mix import GRAMMARS

HELP = "Speaks sentences with every installed engine into a corpus folder; run it again to go on."
PROGRESS_EVERY_S = 10.0


@dataclass(frozen=True)
class Job:
    """A corpus to be made or continued. `shard` is the utterances of one; each of `workers` takes a core."""

    out: Path
    utterances: int
    seed: int = 1
    split: str = "train"
    roles: tuple[str, ...] = ("train",)
    workers: int = 1
    shard: int = 500
    grammar: str = "home"
    #: only these, as engine:voice; none named: all of the roles
    voices: tuple[str, ...] = ()
    #: of espeak-ng, for voices that take one
    accent: str = ""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="corpus folder, new or to be continued")
    parser.add_argument("--utterances", type=int, required=True, help="how many the corpus shall have in all")
    parser.add_argument("--seed", type=int, default=Job.seed)
    parser.add_argument("--split", choices=("train", "test"), default=Job.split, help="of the sentences")
    parser.add_argument(
        "--roles",
        default=",".join(Job.roles),
        help="of the voices, with commas between: train, unseen-voice, unseen-engine",
    )
    parser.add_argument(
        "--voices",
        default="",
        help="only these of the roles' voices, as engine:voice with commas between (default all installed)",
    )
    parser.add_argument(
        "--grammar", choices=tuple(GRAMMARS), default=Job.grammar, help="of the sentences (default home)"
    )
    parser.add_argument(
        "--accent",
        default=Job.accent,
        help="only voices of flite and festival, with the words of this accent of espeak-ng, such as en-gb",
    )
    parser.add_argument("--workers", type=int, default=Job.workers, help="processes, one core each")
    parser.add_argument("--shard", type=int, default=Job.shard, help="utterances in a shard")


def run(args: argparse.Namespace) -> int:
    """0 when the corpus is whole, 130 if interrupted."""
    given = vars(args) | {
        "roles": tuple(args.roles.split(",")),
        "voices": tuple(name for name in args.voices.split(",") if name),
    }
    return 0 if make_corpus(Job(**given)) else 130


def make_corpus(job: Job) -> bool:
    """Makes the shards that are missing. False if interrupted: what is whole stays, and a second call goes on.

    From here on SIGTERM is a KeyboardInterrupt. Raises USAGE_INVALID and what making shards raises.
    """
    for name in ("utterances", "workers", "shard"):
        if getattr(job, name) < 1:
            raise TrainingFault(
                "USAGE_INVALID", f"--{name} of 1 or more", str(getattr(job, name)), "give a larger number"
            )
    roles = sorted(set(job.roles))
    # Ending by SIGTERM is then like Ctrl-C: temporary folders are removed on the way out.
    signal.signal(signal.SIGTERM, _interrupt)
    settings = synthesise.settings_for(
        job.seed, job.split, roles, job.shard, job.grammar, job.voices, job.accent
    )
    only = settings.voices if job.accent else job.voices
    print("\n".join(voices_text(roles, only)), flush=True)
    todo = synthesise.prepare(job.out, settings, job.utterances)
    there = -(-job.utterances // job.shard) - len(todo)
    print(f"{job.out}: {there} shards there, {len(todo)} to make", flush=True)
    progress = Progress(sum(min(job.shard, job.utterances - i * job.shard) for i in todo))

    def take(event: Event) -> None:
        progress.take(event)
        if isinstance(event, Made):
            synthesise.write_card(job.out, settings)

    try:
        if min(job.workers, len(todo)) > 1:
            _together(job, settings, todo, take)
        else:
            _make(job, settings, todo, 0, take)
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command to go on", file=sys.stderr)
        return False
    finally:
        progress.close()
    return True


def voices_text(roles: list[str], only: Sequence[str] = ()) -> list[str]:
    """What is said about the voices before a run: the shares, and who takes over from whom is missing."""
    present, missing = voices_for(roles, only)
    total = sum(v.weight for v in present)
    lines = ["voices: " + ", ".join(f"{v.key} {100 * v.weight / total:.1f} %" for v in present)]
    if missing:
        lost = sum(v.weight for v in missing)
        names = ", ".join(f"{v.key} ({v.package})" for v in missing)
        lines.append(f"not installed, {100 * lost / (total + lost):.1f} % falls to the others: {names}")
    return lines


@dataclass(frozen=True)
class Spoken:
    """So many utterances of the shard a worker is at are spoken."""

    worker: int
    utterances: int


@dataclass(frozen=True)
class Made:
    """A worker's shard is whole."""

    worker: int
    shard: ShardDone


Event = Spoken | Made


class Progress:
    """Lines on how far a run is: utterances, hours of speech, utterances a second, time left."""

    def __init__(self, utterances: int) -> None:
        self._wanted = utterances
        self._started = self._said = time.monotonic()
        self._done = 0
        self._dropped = 0
        self._sound_s = 0.0
        self._at: dict[int, int] = {}
        self._made: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    def take(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, Spoken):
            self._at[event.worker] = event.utterances
            if now - self._said < PROGRESS_EVERY_S:
                return
        else:
            self._at.pop(event.worker, None)
            shard = event.shard
            self._done += shard.utterances + shard.dropped
            self._dropped += shard.dropped
            self._sound_s += shard.sound_s
            self._made.update(shard.made_by_engine)
            self._seconds.update(shard.seconds_by_engine)
        self._said = now
        spoken = self._done + sum(self._at.values())
        rate = spoken / max(now - self._started, 1e-3)
        left_s = (self._wanted - spoken) / max(rate, 1e-3)
        print(
            f"{spoken}/{self._wanted} utterances, {self._sound_s / 3600:.2f} h whole, {rate:.1f} utt/s, "
            f"{left_s / 60:.1f} min left",
            flush=True,
        )

    def close(self) -> None:
        rates = ", ".join(f"{e} {n / max(self._seconds[e], 1e-3):.0f}" for e, n in sorted(self._made.items()))
        if rates:
            print(f"utt/s by engine: {rates}; dropped {self._dropped}", flush=True)


Take = Callable[[Event], None]


def _make(job: Job, settings: Settings, todo: list[int], worker: int, take: Take) -> None:
    plan = synthesise.planned(settings, partial(sentences, grammar=settings.grammar))
    for index, planned in synthesise.shards(plan, todo, job.shard, job.utterances):
        done = synthesise.make_shard(job.out, index, planned, lambda count: take(Spoken(worker, count)))
        take(Made(worker, done))


def _together(job: Job, settings: Settings, todo: list[int], take: Take) -> None:
    """Deals the shards out to processes. The first fault ends them all and is raised here."""
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    dealt = [todo[i :: job.workers] for i in range(min(job.workers, len(todo)))]
    workers = [
        context.Process(target=_work, args=(job, settings, own, i, told)) for i, own in enumerate(dealt)
    ]
    for worker in workers:
        worker.start()
    try:
        ended = 0
        while ended < len(workers):
            try:
                event = told.get(timeout=5)
            except queue.Empty:
                dead = [w for w in workers if w.exitcode not in (None, 0)]
                if dead:
                    raise TrainingFault(
                        "WORKER_DIED",
                        "a worker that ends by itself",
                        f"exit {dead[0].exitcode}",
                        "see the lines above; run the same command to go on",
                    ) from None
                continue
            if isinstance(event, TrainingFault):
                raise event
            if event is None:
                ended += 1
            else:
                take(event)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _work(job: Job, settings: Settings, todo: list[int], worker: int, told: Any) -> None:
    try:
        _make(job, settings, todo, worker, told.put)
        told.put(None)
    except TrainingFault as fault:
        told.put(fault)
    except KeyboardInterrupt:
        sys.exit(0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
