# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make bench-pacing` runs: how a job gives way to others, what that costs it when it is
alone, how soon it does what it is told, and what dom0 feels of qubes that read all the time."""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from . import control, readers
from .calls import Job
from .slowdisk import SlowDisk, is_available
from .system import MEBIBYTE, Disk, drop_caches, emptied, run, say
from .tools import Service

DISK_BYTES = 2048 * MEBIBYTE
IMAGES, IMAGE_MEBIBYTES, FOREGROUND_MEBIBYTES = 12, 32, 64
SLOW_BYTES_PER_SECOND = 24 * MEBIBYTE
KEPT_AT_LEAST = 0.8
# Of a job that is alone: more than the runs differ among themselves would be a cost.
COST_AT_MOST = 0.03
ALONE_ROUNDS, HELD_SECONDS = 3, 5
REVISION = "@2026-01-02T03:04:05Z"


def shrinking(mebibytes):
    """Bytes that shrink to a half, no two blocks of them equal."""
    return os.urandom(mebibytes * MEBIBYTE // 2).hex().encode()


class Pacing:
    """One set on one file system, restored for each measurement."""

    def __init__(self, options):
        self.options = options
        self.mount_point = options.directory / "pacing"
        self.pristine = options.directory / "pacing-pristine.img"
        self.disk = Disk(options.directory / "pacing.img", self.mount_point)

    def build(self):
        """The set: revisions of one qube, half of them again as clones of another, some packed
        already; and what the foreground reads."""
        disk = Disk(self.pristine, self.mount_point)
        disk.format(DISK_BYTES)
        with disk:
            work, copy = (disk.qubes / "appvms" / name for name in ("work", "copy"))
            for folder in (work, copy, disk.qubes / "vm-templates"):
                folder.mkdir(parents=True)
            for number in range(IMAGES):
                image = work / f"private.img.{number}{REVISION}"
                image.write_bytes(shrinking(IMAGE_MEBIBYTES))
                if number % 2:
                    run("cp", "--reflink=always", image, copy / image.name)
                if number % 4 == 0:
                    run("cp", "--reflink=never", image, copy / image.name)
                if number % 3 == 0:
                    run("btrfs", "filesystem", "defragment", "-czstd", image)
            (disk.mount_point / "foreground").write_bytes(
                os.urandom(FOREGROUND_MEBIBYTES * MEBIBYTE))
            disk.sync()

    def programs(self, name, *words):
        """Our programs, with a worker that gets these words as well."""
        folder = emptied(self.options.directory / f"programs-{name}")
        for program in ("qvm-btrfs", "qubes-btrfsd"):
            (folder / program).symlink_to(self.options.programs / program)
        worker = folder / "qubes-btrfs-worker"
        own = " ".join(f"'{word}'" for word in words)
        real = self.options.programs / "qubes-btrfs-worker"
        worker.write_text(f"#!/bin/sh\nexec '{real}' {own} \"$@\"\n", encoding="utf-8")
        worker.chmod(0o755)
        return folder

    def service(self, name, *words, daemon=()):
        """A daemon for the disk that is mounted now, and further words for its worker and it."""
        service = Service(name, "pacing", self.programs(name, *words))
        service.words = daemon
        service.prepare(self.options.directory / f"service-{name}")
        service.start(self.disk, "daemon")
        return service

    @staticmethod
    def end(service):
        """Ends a daemon."""
        os.kill(service.daemon.child(), 15)
        service.daemon.wait(60)

    def read(self, slow, mebibytes):
        """The bytes that the foreground reads of its file in a second, cold."""
        drop_caches()
        words = f"read go; exec head -c {mebibytes}M '{self.mount_point}/foreground'"
        with subprocess.Popen(["sh", "-c", words],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
            slow.put("reader", reader.pid)
            start = time.monotonic()
            reader.stdin.write(b"\n")
            reader.stdin.close()
        return mebibytes * MEBIBYTE / (time.monotonic() - start)

    def foreground(self):
        """The foreground's speed beside a job as a share of its speed alone: with the governor,
        and with one that sees nobody."""
        found = {}
        for name in ("governed", "blind"):
            self.disk.restore(self.pristine)
            with self.disk, SlowDisk(self.disk, SLOW_BYTES_PER_SECOND) as slow:
                # The better of two: others on the machine make it slower, and nobody faster. Beside
                # a job that sees nobody it takes so long that a part has to do.
                rounds, part = (2, 1) if name == "governed" else (1, 4)
                alone = max(self.read(slow, FOREGROUND_MEBIBYTES) for _ in range(2))
                groups = slow.unified if name == "governed" else "/nonexistent"
                service = self.service(name, "--control-groups", groups)
                try:
                    slow.put("job", service.daemon.child())
                    drop_caches()
                    job = Job(service, "Compress", {"level": 1})
                    # The first progress of its work: it reads from now on.
                    job.reach("execute")
                    beside = max(
                        self.read(slow, FOREGROUND_MEBIBYTES // part) for _ in range(rounds))
                    record = job.record()
                    if record["state"] != "running":
                        raise SystemExit(f"The job was over before its neighbour: {record}")
                    pacing = (record.get("progress") or {}).get("pacing")
                    job.say("Cancel")
                    job.wait()
                finally:
                    self.end(service)
            found[name] = {"alone": round(alone / MEBIBYTE, 1),
                           "beside": round(beside / MEBIBYTE, 1),
                           "share": round(beside / alone, 3), "pacing": pacing}
            say(f"  {name}: {found[name]}")
        return found

    def readers(self):
        """dom0's report, and a foreground reader, beside qubes that read all the time."""
        qubesd = readers.Qubesd("work")
        qubesd.start()
        words = ("--qubesd-socket", qubesd.path)
        self.disk.restore(self.pristine)
        try:
            with self.disk:
                service = self.service("readers", daemon=words)
                try:
                    found = readers.reports(service.socket, "work")
                finally:
                    self.end(service)
                with SlowDisk(self.disk, SLOW_BYTES_PER_SECOND) as slow:
                    alone = max(self.read(slow, FOREGROUND_MEBIBYTES) for _ in range(2))
                    service = self.service(
                        "readers", "--control-groups", slow.unified, daemon=words)
                    try:
                        slow.put("job", service.daemon.child())
                        with readers.Readers(service.socket, "work"):
                            beside = max(
                                self.read(slow, FOREGROUND_MEBIBYTES) for _ in range(2))
                    finally:
                        self.end(service)
        finally:
            qubesd.stop()
        found["share"] = round(beside / alone, 3)
        say(f"  {found}")
        return found

    def alone(self):
        """What looking around costs a job that nobody waits for: wall time with and without, and
        the CPU of a worker that is paused and does nothing but look around."""
        seconds = {"governed": [], "blind": []}
        held_share = None
        for _ in range(ALONE_ROUNDS):
            for name, rounds in seconds.items():
                self.disk.restore(self.pristine)
                words = ("--control-groups", "/nonexistent", "--power-supplies", "/nonexistent")
                with self.disk:
                    service = self.service(name, *(() if name == "governed" else words))
                    try:
                        drop_caches()
                        job = Job(service, "Compress", {"level": 3})
                        rounds.append(job.wait()["result"]["elapsedSeconds"])
                        if name == "governed" and held_share is None:
                            held_share = self.held(service)
                    finally:
                        self.end(service)
        say(f"  {seconds}, held {held_share}")
        best = {name: min(rounds) for name, rounds in seconds.items()}
        middle = {name: statistics.median(rounds) for name, rounds in seconds.items()}
        return {"seconds": seconds, "cost": round(best["governed"] / best["blind"] - 1, 4),
                "costOfMedians": round(middle["governed"] / middle["blind"] - 1, 4),
                "heldCPUShare": held_share}

    def held(self, service):
        """The part of one CPU that a paused worker uses."""
        job = Job(service, "Estimate")
        job.say("Pause")
        while job.worker() is None:
            time.sleep(0.01)
        time.sleep(1)
        before = job.cpu_seconds()
        time.sleep(HELD_SECONDS)
        used = job.cpu_seconds() - before
        job.say("Cancel")
        job.wait()
        return round(used / HELD_SECONDS, 4)

    def control(self):
        """How soon jobs obey, on a set that is restored whenever a job has changed it."""
        self.disk.restore(self.pristine)
        self.disk.__enter__()
        state = {"service": None}

        def restored(is_changed):
            if state["service"]:
                self.end(state["service"])
            if is_changed:
                self.disk.__exit__()
                self.disk.restore(self.pristine)
                self.disk.__enter__()
            service = self.service("control")
            # One object for all rounds: the daemon in it is the newest.
            if state["service"] is None:
                state["service"] = service
            else:
                state["service"].daemon, state["service"].socket = service.daemon, service.socket
            drop_caches()

        restored(False)
        try:
            return control.measure(self.disk, state["service"], restored)
        finally:
            self.end(state["service"])
            self.disk.__exit__()


def verdicts(foreground, alone, worst, read):
    """Each bar with what was measured: text, and whether it holds."""
    slowest = max(worst.items(), key=lambda item: item[1])
    return [
        (f"a reader keeps {KEPT_AT_LEAST:.0%} of its speed beside a job: "
         f"{foreground['governed']['share']:.0%}",
         foreground["governed"]["share"] >= KEPT_AT_LEAST),
        (f"it is the governor that does it: without, {foreground['blind']['share']:.0%}",
         foreground["blind"]["share"] < KEPT_AT_LEAST),
        (f"a job that is alone pays at most {COST_AT_MOST:.0%}: {alone['cost']:+.1%}",
         alone["cost"] <= COST_AT_MOST),
        (f"cancel, pause and resume within {control.BAR_SECONDS:.0f} s: at worst "
         f"{slowest[1]:.2f} s ({' '.join(slowest[0]).lower()})",
         slowest[1] <= control.BAR_SECONDS),
        (f"dom0's report takes at most {readers.BAR_TIMES:.0f} times as long beside"
         f" {readers.READERS} qubes that read: {read['times']:.2f}",
         read["times"] <= readers.BAR_TIMES),
        (f"a reader keeps {KEPT_AT_LEAST:.0%} of its speed beside them: {read['share']:.0%}",
         read["share"] >= KEPT_AT_LEAST)]


def table(foreground, alone):
    """The figures of the first two parts as lines."""
    lines = [f"{'a reader on a slow disk, MiB/s':<34}{'alone':>8}{'beside':>8}{'keeps':>8}"]
    for name, what in (("governed", "job with its governor"), ("blind", "job that sees nobody")):
        row = foreground[name]
        lines.append(
            f"{what:<34}{row['alone']:8.1f}{row['beside']:8.1f}{row['share']:8.0%}")
    lines += ["", f"{'a job that is alone':<34}{'best':>8}{'median':>8}"]
    for name, what in (("governed", "looking around"), ("blind", "with nothing to look at")):
        rounds = alone["seconds"][name]
        lines.append(f"{what:<34}{min(rounds):7.2f}s{statistics.median(rounds):7.2f}s")
    lines.append(f"{'CPU of a paused worker':<34}{alone['heldCPUShare']:8.2%}")
    return "\n".join(lines)


def main():
    """Everything; fails when a bar does not hold."""
    parser = argparse.ArgumentParser(prog="bench-pacing", description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path, required=True, help="for the disks")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="those to measure")
    options = parser.parse_args()
    if not is_available():
        raise SystemExit("It needs control groups that limit reads (blkio) and PSI (cgroup2).")
    start = time.monotonic()
    options.directory = emptied(options.directory)
    try:
        bench = Pacing(options)
        say("The set ...")
        bench.build()
        say(f"{time.monotonic() - start:.0f} s. A reader beside a job ...")
        foreground = bench.foreground()
        say(f"{time.monotonic() - start:.0f} s. A job alone ...")
        alone = bench.alone()
        say(f"{time.monotonic() - start:.0f} s. Words to a job ...")
        worst = bench.control()
        say(f"{time.monotonic() - start:.0f} s. Qubes that read ...")
        read = bench.readers()
    finally:
        shutil.rmtree(options.directory, ignore_errors=True)
    print(f"{table(foreground, alone)}\n\nworst of {control.ROUNDS}: until the service has "
          f"answered, until the worker\nrests, until it works again, until the job is over\n\n"
          f"{control.table(worst)}\n\n"
          f"dom0's report: {read['quiet'] * 1000:.0f} ms, beside {readers.READERS} qubes that read"
          f" {read['busy'] * 1000:.0f} ms ({read['answered']} answers, {read['refused']} refused)\n")
    bars = verdicts(foreground, alone, worst, read)
    for text, holds in bars:
        print(f"{'holds' if holds else 'FAILS'}: {text}")
    print(f"{time.monotonic() - start:.0f} s in all")
    sys.exit(0 if all(holds for _, holds in bars) else 1)


if __name__ == "__main__":
    main()
