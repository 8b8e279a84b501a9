# SPDX-License-Identifier: GPL-2.0-or-later
"""Two builds of ours side by side on the bench's set: `python3 -m bench.versions --help`.

Each of a few rounds runs both by turns, so that a busy minute of the machine falls on both; what
counts is the median, and the ratio of the second build to the first.
"""

import argparse
import pathlib
import signal
import statistics
import sys

from . import images, measure
from .__main__ import Bench
from .live import Live
from .system import MEBIBYTE, drop_caches, say
from .tools import FIRST, Service

OPERATIONS = ("dedupe", "optimize")
SECTOR = 512
COLD, WARM = "cold", "warm"


class LiveDedupe(Live):
    """Dedupe of running images, too, while one of them is written to."""

    def __init__(self, programs):
        super().__init__(programs)
        self.name = self.kind = "live dedupe"
        self.operation = "dedupe"


def read_bytes(disk):
    """What has been read from the disk's device so far."""
    path = pathlib.Path("/sys/block", pathlib.Path(disk.device).name, "stat")
    return int(path.read_text(encoding="ascii").split()[2]) * SECTOR


class Versions(Bench):
    """The rounds; `figures[what][build]` is a list of seconds."""

    def __init__(self, options):
        super().__init__(options)
        self.figures = {}

    def note(self, what, build, figure):
        """Keeps one figure, and says it."""
        self.figures.setdefault(what, {}).setdefault(build, []).append(figure)
        say(f"{what}, {build}: {figure:.4g}")

    def job(self, operation, caches, build, programs):
        """One job alone: its wall time with one sync, its CPU, and what it freed."""
        tool = Service(f"{operation} {build}", operation, programs)
        with self.restored(tool) as disk:
            before = disk.settled()["dataBytes"]
            if caches == WARM:
                measure.read_once(disk)
            else:
                drop_caches()
            tool.start(disk, FIRST)
            read_before = read_bytes(disk)
            figures = measure.measured(disk, lambda: tool.work(disk, FIRST))
            read = read_bytes(disk) - read_before
            figures = tool.stop(figures, FIRST)
            what = f"{operation}, {caches}"
            self.note(f"{what}: wall s", build, figures["wallSeconds"])
            self.note(f"{what}: own CPU s", build, figures["processSeconds"])
            self.note(f"{what}: all CPU s", build, figures["allSeconds"])
            self.note(f"{what}: read MiB", build, read / MEBIBYTE)
            self.note(f"{what}: freed MiB", build,
                      (before - disk.settled()["dataBytes"]) / MEBIBYTE)

    def live(self, build, programs):
        """Dedupe beside a writer: how long its writes took."""
        tool = LiveDedupe(programs)
        with self.restored(tool) as disk:
            drop_caches()
            tool.start(disk, FIRST)
            figures = tool.work(disk, FIRST)
            figures = tool.stop(figures, FIRST)
            writer = figures["writer"]
            self.note("live dedupe: writer's p99 ms", build, writer["p99Seconds"] * 1000)
            self.note("live dedupe: verify errors", build, writer["verifyErrors"])

    def run(self):
        """Every round; prints medians and ratios."""
        self.pristine_set()
        builds = dict(zip(("first", "second"), self.options.builds))
        for _ in range(self.options.rounds):
            for operation in self.options.operations:
                for caches in (COLD, WARM):
                    for build, programs in builds.items():
                        self.job(operation, caches, build, programs)
            for build, programs in builds.items() if self.options.live else ():
                self.live(build, programs)
        self.print_table()

    def print_table(self):
        """Medians, the second's ratio to the first, and every figure."""
        print(f"{'median of each':<32}{'first':>10}{'second':>10}{'ratio':>8}")
        for what, found in self.figures.items():
            first, second = (statistics.median(found[build]) for build in ("first", "second"))
            ratio = f"{second / first:8.3f}" if first else "       -"
            print(f"{what:<32}{first:10.2f}{second:10.2f}{ratio}")


def command_line(name, description):
    """A parser for a program that works on the bench's set."""
    parser = argparse.ArgumentParser(prog=f"bench.{name}", description=description)
    parser.add_argument("--directory", type=pathlib.Path, required=True, help="for the disks")
    parser.set_defaults(size="default")
    return parser


def run(bench, parser):
    """Reads the command line, and runs what is made from it."""
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.directory.mkdir(parents=True, exist_ok=True)
    bench(options).run()


def main():
    """The command line."""
    parser = command_line("versions", __doc__)
    parser.add_argument("builds", type=pathlib.Path, nargs=2, help="folders of programs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--operations", nargs="*", default=OPERATIONS, choices=OPERATIONS)
    parser.add_argument("--live", action=argparse.BooleanOptionalAction, default=True,
                        help="measure what a writer feels, too")
    run(Versions, parser)


if __name__ == "__main__":
    main()
