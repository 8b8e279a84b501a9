# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon a job does what it is told: cancel, pause, resume, in each of its stages."""

import time

from .calls import Job, Refused

ROUNDS = 3
BAR_SECONDS = 1.0
# What a job is asked for, and the stages in which it is told something.
JOBS = (
    ("Compress", {"level": 15}, ("execute",)),
    ("Optimize", {"level": 15}, ("fingerprint", "execute")),
    ("Dedupe", {}, ("survey", "fingerprint", "match", "execute")),
    ("Defragment", {}, ("execute",)),
    ("Estimate", {}, ("fingerprint", "sample")),
)
WATCH_SECONDS = 1.5
SAMPLE_SECONDS = 0.01
# A worker that holds still looks around four times a second, and says so.
IDLE_CPU_SHARE = 0.01


def until_quiet(job):
    """Seconds until the worker begins nothing any more: from then on it hardly uses the CPU."""
    start, samples = time.monotonic(), []
    while (now := time.monotonic() - start) < WATCH_SECONDS:
        used = job.cpu_seconds()
        if used is None:
            return now
        samples.append((now, used))
        time.sleep(SAMPLE_SECONDS)
    end, total = samples[-1]
    for moment, used in samples:
        # Two ticks of the clock are below what can be told.
        if total - used <= IDLE_CPU_SHARE * (end - moment) + 0.02:
            return moment
    return end


def until_working(job):
    """Seconds until the worker uses the CPU again."""
    start, first = time.monotonic(), job.cpu_seconds()
    while (now := time.monotonic() - start) < 10:
        used = job.cpu_seconds()
        if used is None or used - first >= 0.03 or job.is_over():
            return now
        time.sleep(SAMPLE_SECONDS)
    return now


def timed(job, word):
    """Says a word; gives the seconds that its reply took, and the moment it was said."""
    start = time.monotonic()
    job.say(word)
    return time.monotonic() - start, start


def one_round(service, operation, payload, stage):
    """Pause, resume and cancel of one job in one stage; None where the stage was not met."""
    job = Job(service, operation, payload)
    try:
        if not job.reach(stage):
            return None
        reply, start = timed(job, "Pause")
        figures = {"reply": reply, "pause": reply + until_quiet(job)}
        if job.is_over():
            return None
        reply, start = timed(job, "Resume")
        figures["resume"] = reply + until_working(job)
        figures["reply"] = max(figures["reply"], reply)
        if job.is_over():
            return figures
        reply, start = timed(job, "Cancel")
        figures["reply"] = max(figures["reply"], reply)
        job.wait()
        figures["cancel"] = time.monotonic() - start
        return figures
    except Refused:
        # It came to its end before it heard: no figure.
        return None
    finally:
        job.end()


def queued_rounds(service):
    """The same for a job that waits, and cancel for one that is paused."""
    worst = {}
    for _ in range(ROUNDS):
        first = Job(service, "Compress", {"level": 15})
        first.reach("execute")
        first.say("Pause")
        second = Job(service, "Compress")
        for word in ("Pause", "Resume", "Cancel"):
            taken, _ = timed(second, word)
            worst[("Compress", "queued", word.lower())] = max(
                taken, worst.get(("Compress", "queued", word.lower()), 0))
        start = time.monotonic()
        first.end()
        key = ("Compress", "paused", "cancel")
        worst[key] = max(time.monotonic() - start, worst.get(key, 0))
    return worst


def measure(disk, service, restored):
    """The worst of some rounds for each command, stage and word, in seconds.

    `restored` starts the service anew, on the set as it was where a job has changed it.
    """
    worst, is_changed = {}, True
    for operation, payload, stages in JOBS:
        for stage in stages:
            for _ in range(ROUNDS):
                restored(is_changed)
                is_changed = stage == "execute"
                figures = one_round(service, operation, payload, stage)
                for word, seconds in (figures or {}).items():
                    key = (operation, stage, word)
                    worst[key] = max(seconds, worst.get(key, 0))
    restored(True)
    return worst | queued_rounds(service)


def table(worst):
    """The figures as lines."""
    words = ("reply", "pause", "resume", "cancel")
    rows = sorted({key[:2] for key in worst})
    lines = [f"{'job':<12}{'stage':<13}" + "".join(f"{word:>9}" for word in words)]
    for operation, stage in rows:
        cells = [worst.get((operation, stage, word)) for word in words]
        lines.append(f"{operation.lower():<12}{stage:<13}" + "".join(
            "        -" if cell is None else f"{cell:8.2f}s" for cell in cells))
    return "\n".join(lines)
