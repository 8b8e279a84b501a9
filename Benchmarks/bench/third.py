# SPDX-License-Identifier: GPL-2.0-or-later
"""What photos and films cost the third run: `python3 -m bench.third --help`.

Optimize runs on the bench's set, again, and once more after a session has written 50 MiB: without
and with data beside it that does not shrink. What was found not to shrink is not read again.
"""

import os
import pathlib

from . import bars, images, measure, output
from .__main__ import CHANGED_BYTES, Bench
from .system import MEBIBYTE, drop_caches, say
from .tools import AGAIN, CHANGED, FIRST, Service
from .versions import command_line, read_bytes, run

OWNER = "personal"
RATIO_AT_MOST, SHARE_READ_AT_MOST = 3, 1 / 20


def add_noise(disk, length_bytes):
    """Writes what does not shrink behind the end of a private image."""
    image = next(path for path in disk.images()
                 if OWNER in str(path) and str(path).endswith("private.img"))
    with open(image, "ab") as file:
        for _ in range(length_bytes // MEBIBYTE):
            file.write(os.urandom(MEBIBYTE))
    os.sync()


class Third(Bench):
    """The three runs, on two sets."""

    def runs(self, noise_bytes):
        """Wall time and what was read from the device, by run."""
        tool = Service(f"optimize beside {noise_bytes // MEBIBYTE} MiB of noise", "optimize",
                       self.options.programs)
        found = {}
        with self.restored(tool) as disk:
            add_noise(disk, noise_bytes)
            for which in (FIRST, AGAIN, CHANGED):
                if which == CHANGED:
                    images.change(disk, self.scratch, CHANGED_BYTES)
                disk.settled()
                drop_caches()
                tool.start(disk, which)
                before = read_bytes(disk)
                figures = measure.measured(disk, lambda run=which: tool.work(disk, run))
                read = read_bytes(disk) - before
                figures = tool.stop(figures, which)
                if figures["status"] != 0:
                    raise SystemExit(f"{tool.name} failed, see {self.folder_of(tool)}")
                say(f"{tool.name}, {which}: {figures['wallSeconds']:.2f} s, "
                    f"{read // MEBIBYTE} MiB read")
                found[which] = (figures["wallSeconds"], read)
        return found

    def run(self):
        """Prints what both have taken, and whether the bars hold."""
        self.pristine_set()
        noise = self.options.noise_mebibytes * MEBIBYTE
        without, beside = self.runs(0)[CHANGED], self.runs(noise)[CHANGED]
        print(output.bar_lines([
            bars.at_most("third run beside noise: wall, over one without",
                         bars.ratio(beside[0], without[0]), RATIO_AT_MOST, " times"),
            bars.at_most("third run beside noise: read more, of the noise",
                         bars.ratio(max(beside[1] - without[1], 0), noise), SHARE_READ_AT_MOST,
                         " times")]))


def main():
    """The command line."""
    parser = command_line("third", __doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="those to measure")
    parser.add_argument("--noise-mebibytes", type=int, default=5 * 1024, metavar="MIB")
    run(Third, parser)


if __name__ == "__main__":
    main()
