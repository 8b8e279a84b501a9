#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the report of the machine takes, beside `btrfs filesystem du -s` on the same tree.

    Benchmarks/report.py PRISTINE PROGRAMS [ROUNDS]

PRISTINE is a set that `make bench` has built; it is mounted read-only through a read-only loop
device, and stays as it is. PROGRAMS is where the built programs are. Needs root. In each round both
start with cold caches, but for the programs themselves. Status 1 when the bar does not hold: the
median of ours must be at most that of `btrfs filesystem du -s`.
"""

import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bench import images, system, tools  # noqa: E402  (found through the line above)


def timed(words):
    """Seconds of wall time; the output goes nowhere."""
    start = time.monotonic()
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def cold(programs):
    """Nothing of the file system in memory, but the programs and their libraries."""
    system.drop_caches()
    for words in programs:
        subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)


class Mount:
    """The set, mounted for reading."""

    def __init__(self, image, folder):
        self.image, self.path = image, folder / "mnt"

    def __enter__(self):
        self.path.mkdir()
        attach = ["losetup", "--read-only", "--find", "--show"]
        self.device = system.run(*attach, self.image).strip()
        system.run("mount", "-o", "ro", self.device, self.path)
        return self.path

    def __exit__(self, *_):
        system.run("umount", self.path)
        system.run("losetup", "--detach", self.device)


def main():
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    image, programs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    rounds = int(sys.argv[3]) if len(sys.argv) == 4 else 7
    # A worker without an order ends at once.
    names = [[programs / "qvm-btrfs", "--version"], [programs / "qubes-btrfs-worker"],
             ["btrfs", "--version"]]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="qubes-btrfs-report-"))
    theirs, ours, warm = [], [], {"du": [], "report": []}
    try:
        with Mount(image, folder) as mounted:
            service = tools.Service("report", "report", programs)
            service.prepare(folder / "tool")

            class Disk:
                """What the service needs to know of the set."""
                qubes, mount_point = mounted / "var/lib/qubes", mounted

            service.start(Disk, tools.FIRST)
            du = ["btrfs", "filesystem", "du", "-s", mounted]
            report = [programs / "qvm-btrfs", "report", "--json", "--socket", service.socket]
            try:
                for _ in range(rounds):
                    cold(names)
                    theirs.append(timed(du))
                    warm["du"].append(timed(du))
                    cold(names)
                    ours.append(timed(report))
                    warm["report"].append(timed(report))
            finally:
                os.kill(service.daemon.child(), signal.SIGTERM)
                service.daemon.wait(60)
    finally:
        shutil.rmtree(folder)
    for name, cold_runs, warm_runs in (("btrfs filesystem du -s", theirs, warm["du"]),
                                       ("qvm-btrfs report", ours, warm["report"])):
        print(f"{name:24} cold {statistics.median(cold_runs):6.3f} s (best {min(cold_runs):.3f})"
              f"   warm {statistics.median(warm_runs):6.3f} s (best {min(warm_runs):.3f})")
    holds = statistics.median(ours) <= statistics.median(theirs)
    print("BAR report at most du -s:", "holds" if holds else "DOES NOT HOLD")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
