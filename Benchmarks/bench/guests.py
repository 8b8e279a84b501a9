# SPDX-License-Identifier: GPL-2.0-or-later
"""What helps inside a qube before `optimize`: `python3 -m bench.guests --help`.

Two roots that a package manager has worked in and a private volume of a browser, each a real ext4
in an image with a revision, are made anew in each round, by another seed: once with the mount
option `discard` in them and once without. Then, each time from the same set, one thing is done in
every qube, `optimize` runs, and the next start and stop puts the old revision away. What is used is
what the service reports. All is said as a share of what the same set takes when nothing was done.
"""

import argparse
import json
import pathlib
import statistics
import sys

from .aging import PRIVATE, ROOTS, Guests, fill_with_zeroes
from .disk import transferred
from .images import REVISION
from .system import MEBIBYTE, Disk, run, say
from .tools import FIRST, Service
from .versions import command_line, run as run_bench

# By size: of a root and of the private volume in MiB, sessions of each.
SCALES = {"small": (256, 128, 3), "default": (1536, 768, 6)}
NOTHING, TRIM, DEFRAG, ZEROES = "nothing", "fstrim", "e4defrag, fstrim", "zeroes"
WAYS = (NOTHING, TRIM, DEFRAG, ZEROES)
BEFORE, WITH_REVISION, LATER, WRITTEN = "before", "with revision", "later", "written inside"
ALL, PRIVATE_ONLY = "all", "private"


def do_inside(way, mounted):
    """One way to make room, as root in the qube."""
    if way == ZEROES:
        fill_with_zeroes(mounted)
    if way == DEFRAG:
        # What it cannot move it says by its status.
        run("sh", "-c", 'e4defrag "$0" >/dev/null 2>&1 || :', mounted)
        # ext4 tells of freed blocks once the transaction is over in which they were freed.
        run("sync", "--file-system", mounted)
    if way in (TRIM, DEFRAG):
        run("fstrim", mounted)


class InGuests:
    """The rounds; `figures[set, way][when]` is a list of bytes by what is counted."""

    def __init__(self, options):
        self.options, self.figures = options, {}
        self.folder = options.directory
        self.mount_point = self.folder / "dom0"

    def build(self, discards, seed):
        """A set, in a file of its own."""
        root, private, sessions = SCALES[self.options.size]
        pristine = self.folder / "guests-pristine.img"
        disk = Disk(pristine, self.mount_point)
        disk.format((root * 8 + private * 4 + 2048) * MEBIBYTE)
        with disk:
            guests = Guests(disk, self.folder / "guest", discards)
            guests.roots(root * MEBIBYTE, sessions, seed)
            guests.private(private * MEBIBYTE, sessions, seed)
            disk.sync()
        return pristine

    def used(self, service, disk):
        """What the service reports: all that is used, and what the private volume takes."""
        # What was removed is freed by the second one, if not by the first.
        for _ in range(2):
            disk.sync()
        words = [self.options.programs / "qvm-btrfs", "report", "--json", "--socket",
                 service.socket]
        report = json.loads(run(*words))
        usage, = report["fileSystems"]
        work, = [qube for qube in report["qubes"] if qube["name"] == "work"]
        return {ALL: usage["dataUsedBytes"] + usage["metadataUsedBytes"],
                PRIVATE_ONLY: work["figures"]["diskBytes"]}

    def one(self, name, way, pristine, discards):
        """One way, from the set as it was to the time when the revision is gone."""
        disk = Disk(self.folder / "guests.img", self.mount_point)
        disk.restore(pristine)
        service = Service(f"guests {name} {way}", "optimize", self.options.programs)
        service.prepare(self.folder / "tools" / "guests")
        found = {}
        with disk:
            guests = Guests(disk, self.folder / "guest", discards)
            service.start(disk, FIRST)
            try:
                found[BEFORE] = self.used(service, disk)
                written = transferred(disk)[1]
                for volume in (*ROOTS, PRIVATE):
                    with guests.session(volume) as mounted:
                        do_inside(way, mounted)
                found[WRITTEN] = {ALL: transferred(disk)[1] - written}
                figures = service.work(disk, FIRST)
                found[WITH_REVISION] = self.used(service, disk)
                for volume in (*ROOTS, PRIVATE):
                    # The next stop of the qube: what was before it is what is there now.
                    revision = guests.image(volume, f".img.{REVISION}")
                    revision.unlink()
                    run("cp", "--reflink=always", guests.image(volume), revision)
                found[LATER] = self.used(service, disk)
            finally:
                service.stop({"processSeconds": 0}, FIRST)
        if figures["status"] != 0:
            raise SystemExit(f"optimize failed, see {service.folder}")
        say(f"{name}, {way}: " + ", ".join(
            f"{when} {found[when][ALL] // MEBIBYTE} MiB"
            for when in (BEFORE, WRITTEN, WITH_REVISION, LATER)))
        for when, counted in found.items():
            kept = self.figures.setdefault((name, way), {}).setdefault(when, [])
            kept.append(counted)

    def run(self):
        """Every round, and the table."""
        for number in range(self.options.rounds):
            for name, discards in (("discard", True), ("no discard", False)):
                say(f"round {number + 1}: a set with {name}")
                pristine = self.build(discards, number)
                for way in WAYS:
                    self.one(name, way, pristine, discards)
        for left in ("guests.img", "guests-pristine.img"):
            (self.folder / left).unlink(missing_ok=True)
        print(self.table())

    def shares(self, name, way, when, what):
        """Of what the same set took at the end with nothing done, in percent: the middle one of
        all rounds, and all of them between."""
        ends = [counted[what] for counted in self.figures[name, NOTHING][LATER]]
        found = sorted(100 * counted[what] / end for counted, end in zip(
            self.figures[name, way][when], ends))
        middle = statistics.median(found)
        return f"{middle:.0f} ({found[0]:.0f}-{found[-1]:.0f})"

    def mebibytes(self, name, way, when):
        """The middle one of all rounds."""
        counted = [figures[ALL] for figures in self.figures[name, way][when]]
        return f"{statistics.median(counted) / MEBIBYTE:,.0f}"

    def table(self):
        """As docs/guests.md has it."""
        lines = ["| set, then `optimize` | before, MiB | written inside, MiB | later, MiB "
                 "| with revision, % | later, % | private volume later, % |",
                 "|---|---|---|---|---|---|---|"]
        for name, way in self.figures:
            lines.append("| " + " | ".join([
                f"{name}: {way}", self.mebibytes(name, way, BEFORE),
                self.mebibytes(name, way, WRITTEN), self.mebibytes(name, way, LATER),
                self.shares(name, way, WITH_REVISION, ALL), self.shares(name, way, LATER, ALL),
                self.shares(name, way, LATER, PRIVATE_ONLY)]) + " |")
        return "\n".join(lines)


def main():
    """The command line."""
    parser = command_line("guests", __doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="those to measure")
    parser.add_argument("--size", choices=sorted(SCALES), default="small", help="of the images")
    parser.add_argument("--rounds", type=int, default=3)
    run_bench(InGuests, parser)


if __name__ == "__main__":
    sys.exit(main())
