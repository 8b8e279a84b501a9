# SPDX-License-Identifier: GPL-2.0-or-later
"""Optimize in one sitting and in pieces of `--for`, by turns: `python3 -m bench.pieces --help`.

Each of a few rounds runs both, so that a busy minute of the machine falls on both; what counts is
the median. The pieces are as long as a fraction of the sitting before them, and are run until one
says that nothing is left.
"""

import math
import pathlib
import statistics

from . import bars, measure, output
from .__main__ import Bench
from .system import MEBIBYTE, drop_caches, say
from .tools import FIRST, Service
from .versions import command_line, run

SITTING, PIECES = "one sitting", "pieces"
SPACE_AT_MOST, TIME_AT_MOST = 1.02, 1.15
PIECES_AT_MOST = 100


class InPieces(Service):
    """The same command again and again, until its job says that nothing is left."""

    def __init__(self, programs, seconds):
        super().__init__(PIECES, "optimize", programs, about=["dom0", "--for", f"{seconds}s"])
        self.pieces = 0

    def work(self, disk, run):
        seconds = 0
        while self.pieces < PIECES_AT_MOST:
            figures = super().work(disk, run)
            seconds += figures["processSeconds"]
            self.pieces += 1
            job = self.job(run)
            if figures["status"] != 0 or job is None or job["state"] != "done":
                raise SystemExit(f"A piece failed, see {self.folder}")
            left = job["result"].get("left")
            if left is None:
                return figures | {"processSeconds": round(seconds, 2)}
            say(f"  piece {self.pieces}: {left['leftBytes'] // MEBIBYTE} of "
                f"{left['plannedBytes'] // MEBIBYTE} MiB left")
        raise SystemExit("The pieces do not come to an end: let them be longer")


class SittingAndPieces(Bench):
    """The rounds; `figures[way]` is a list of what each has taken."""

    def __init__(self, options):
        super().__init__(options)
        self.figures = {SITTING: [], PIECES: []}

    def measure(self, tool, expected):
        """One way from the restored set to the end of its work."""
        with self.restored(tool) as disk:
            before = disk.settled()
            drop_caches()
            tool.start(disk, FIRST)
            figures = measure.measured(disk, lambda: tool.work(disk, FIRST))
            figures = tool.stop(figures, FIRST)
            after = disk.settled()
            wrong = self.proof(disk, expected)["wrong"]
        if figures["status"] != 0 or wrong:
            raise SystemExit(f"{tool.name} failed, see {self.folder_of(tool)}")
        figures |= {"freedBytes": before["usedBytes"] - after["usedBytes"],
                    "endBytes": after["usedBytes"], "pieces": getattr(tool, "pieces", 1)}
        self.figures[tool.name].append(figures)
        say(f"{tool.name}: {figures['wallSeconds']:.2f} s, own CPU "
            f"{figures['processSeconds']:.2f} s, {figures['pieces']} of it, "
            f"{figures['freedBytes'] // MEBIBYTE} MiB freed")
        return figures

    def median(self, way, what):
        """The middle one of all rounds."""
        return statistics.median(figures[what] for figures in self.figures[way])

    def run(self):
        """Every round; prints medians and whether the bars hold."""
        expected = self.pristine_set()["fingerprints"]
        programs = self.options.programs
        for _ in range(self.options.rounds):
            sitting = self.measure(Service(SITTING, "optimize", programs), expected)
            seconds = max(1, math.ceil(sitting["wallSeconds"] / self.options.pieces))
            self.measure(InPieces(programs, seconds), expected)
        print(f"{'median of each':<24}{SITTING:>14}{PIECES:>14}{'ratio':>8}")
        for name, what, unit in (("wall s", "wallSeconds", 1), ("own CPU s", "processSeconds", 1),
                                 ("all CPU s", "allSeconds", 1), ("pieces", "pieces", 1),
                                 ("freed MiB", "freedBytes", MEBIBYTE),
                                 ("used at the end MiB", "endBytes", MEBIBYTE)):
            one, other = (self.median(way, what) / unit for way in (SITTING, PIECES))
            print(f"{name:<24}{one:14.2f}{other:14.2f}{bars.ratio(other, one):8.3f}")
        ratios = {what: bars.ratio(self.median(PIECES, what), self.median(SITTING, what))
                  for what in ("endBytes", "wallSeconds")}
        print(output.bar_lines([
            bars.at_most("in pieces: used at the end, over one sitting", ratios["endBytes"],
                         SPACE_AT_MOST, " times"),
            bars.at_most("in pieces: wall, over one sitting", ratios["wallSeconds"],
                         TIME_AT_MOST, " times")]))


def main():
    """The command line."""
    parser = command_line("pieces", __doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="those to measure")
    parser.add_argument("--size", default="default", help="of the set")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pieces", type=int, default=4, metavar="NUMBER",
                        help="how many fit into the time of one sitting")
    run(SittingAndPieces, parser)


if __name__ == "__main__":
    main()
