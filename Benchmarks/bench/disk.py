# SPDX-License-Identifier: GPL-2.0-or-later
"""A real disk, every week: `python3 -m bench.disk --help`.

Optimize on hundreds of GiB of packed content: first, again, and after weeks that change 0.5 % of
it; report and estimate; daemon and worker of ours together within a limit of memory, files counted
in, and without swap. Beside them `btrfs filesystem du`, and where it is wanted duperemove.
"""

import argparse
import json
import pathlib
import shutil
import signal
import sys

from . import bars, measure, output
from .packed_disk import PackedDisk
from .system import MEBIBYTE, Disk, drop_caches, run, say
from .tools import AGAIN, FIRST, Peer, Service

SECTOR = 512
DISK_BYTES = 1 << 40
WEEKLY_WALL_AT_MOST, WEEKLY_READ_AT_MOST, REPORT_MEBIBYTES = 1 / 30, 1 / 50, 128
PACKED_WEEK, FORGETFUL_WEEK, PLAIN_WEEK = "week", "no cache", "plain"
HEAD = (f"{'':22} {'run':8} {'wall s':>8} {'CPU s':>7} {'read':>7} {'written':>8} "
        f"{'memory':>7} {'freed':>7}\n"
        f"{'':22} {'':8} {'':8} {'':7} {'MiB':>7} {'MiB':>8} {'MiB':>7} {'MiB':>7}")


def transferred(disk):
    """What the disk's device has read and written so far, in bytes."""
    path = pathlib.Path("/sys/block", pathlib.Path(disk.device).name, "stat")
    fields = path.read_text(encoding="ascii").split()
    return int(fields[2]) * SECTOR, int(fields[6]) * SECTOR


class Bounded(Service):
    """Ours, within a limit of memory."""

    def __init__(self, operation, options):
        super().__init__(operation, operation, options.programs)
        limiter = pathlib.Path(__file__).resolve().parents[2] / "scripts/with-memory"
        if options.memory_mebibytes:
            self.wrapper = (limiter, options.memory_mebibytes)

    def start(self, disk, run):
        super().start(disk, run)
        self.watch = measure.MemoryWatch(self.process())
        self.watch.start()

    def stop(self, figures, run):
        self.watch.over.set()
        return super().stop(figures, run) | {"memoryBytes": self.watch.peak_bytes}

    def forget(self):
        """Removes what it keeps from one run to the next."""
        shutil.rmtree(self.folder / "cache")


class DiskBench:
    """One disk, and what runs on it."""

    def __init__(self, options):
        self.options, self.runs = options, []
        self.image = options.directory / "packed-disk.img"
        self.pristine = options.directory / f"packed-disk-{options.gibibytes}.img"
        self.mount_point = options.directory / "dom0"

    def packed(self, disk):
        """The images on it."""
        return PackedDisk(disk, self.options.frames, self.options.gibibytes)

    def pristine_disk(self):
        """Makes it where it is missing."""
        if self.pristine.exists():
            return
        say(f"Making the disk once, in {self.pristine}")
        unfinished = self.pristine.with_suffix(".unfinished")
        disk = Disk(unfinished, self.mount_point)
        disk.format(DISK_BYTES)
        with disk:
            self.packed(disk).build()
            disk.settled()
        unfinished.rename(self.pristine)

    def one(self, tool, disk, which):
        """One run, cold."""
        before = disk.settled()
        tool.start(disk, which)
        drop_caches()
        read, written = transferred(disk)
        figures = measure.measured(disk, lambda: tool.work(disk, which))
        read_after, written_after = transferred(disk)
        figures = tool.stop(figures, which)
        figures |= {"tool": tool.name, "run": which, "readBytes": read_after - read,
                    "writtenBytes": written_after - written, "before": before,
                    "after": disk.settled()}
        self.runs.append(figures)
        say(self.row(figures))
        return figures

    @staticmethod
    def row(figures):
        """One line of the table."""
        freed = figures["before"]["dataBytes"] - figures["after"]["dataBytes"]
        memory = figures.get("memoryBytes", figures["peakBytes"])
        text = (f"{figures['tool']:22} {figures['run']:8} {figures['wallSeconds']:8.2f} "
                f"{figures['processSeconds']:7.1f} {figures['readBytes'] / MEBIBYTE:7.0f} "
                f"{figures['writtenBytes'] / MEBIBYTE:8.0f} {memory / MEBIBYTE:7.0f} "
                f"{freed / MEBIBYTE:7.0f}")
        return text if figures["status"] == 0 else f"{text}  status {figures['status']}"

    def weeks(self, optimize, image):
        """Weeks one after the other; the first twice, with and without what is kept."""
        with Disk(image, self.mount_point) as disk:
            self.packed(disk).week(1, "packed")
            disk.settled()
        before = image.with_suffix(".before")
        run("cp", "--sparse=always", image, before)
        folder, cache = optimize.folder, optimize.folder / "cache"
        run("cp", "-a", cache, folder / "kept")
        optimize.forget()
        with Disk(image, self.mount_point) as disk:
            self.one(optimize, disk, FORGETFUL_WEEK)
        before.rename(image)
        optimize.forget()
        (folder / "kept").rename(cache)
        with Disk(image, self.mount_point) as disk:
            self.one(optimize, disk, PACKED_WEEK)
            self.packed(disk).week(2, "plain")
            self.one(optimize, disk, PLAIN_WEEK)

    def run(self):
        """All of it."""
        self.pristine_disk()
        tools = self.options.directory / "tools"
        run("cp", "--sparse=always", self.pristine, self.image)
        report, optimize = Bounded("report", self.options), Bounded("optimize", self.options)
        estimate = Bounded("estimate", self.options)
        usage = Peer("filesystem du -s", "report", ["btrfs", "filesystem", "du", "-s", "{qubes}"])
        for tool in (report, optimize, estimate, usage):
            tool.prepare(tools / f"disk-{tool.kind}-{'ours' if tool.is_ours else 'peer'}")
        print(HEAD, file=sys.stderr)
        with Disk(self.image, self.mount_point) as disk:
            for tool in (report, usage, estimate):
                self.one(tool, disk, FIRST)
            self.one(optimize, disk, FIRST)
            self.one(optimize, disk, AGAIN)
        self.weeks(optimize, self.image)
        self.image.unlink()
        if self.options.duperemove:
            self.duperemove(tools)
        self.print_results()

    def duperemove(self, tools):
        """The peer, on a disk of its own."""
        peer = Peer("duperemove same", "dedupe", [
            "duperemove", "-r", "-d", "-q", "--hashfile={folder}/hashfile",
            "--dedupe-options=same", "{qubes}"])
        peer.prepare(tools / "disk-duperemove")
        run("cp", "--sparse=always", self.pristine, self.image)
        with Disk(self.image, self.mount_point) as disk:
            self.one(peer, disk, FIRST)
            self.packed(disk).week(1, "packed")
            self.one(peer, disk, PACKED_WEEK)
        self.image.unlink()

    def print_results(self):
        """The table, the bars, and a file of all figures."""
        print("\n".join([HEAD] + [self.row(figures) for figures in self.runs]))
        found = {(figures["tool"], figures["run"]): figures for figures in self.runs}
        print(output.bar_lines(self.bars(found)))
        path = self.options.directory / "disk.json"
        path.write_text(json.dumps(self.runs, indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def bars(found):
        """What is wanted, by the runs."""
        first, week = found["optimize", FIRST], found["optimize", PACKED_WEEK]
        forgetful, plain = found["optimize", FORGETFUL_WEEK], found["optimize", PLAIN_WEEK]
        report, usage = found["report", FIRST], found["filesystem du -s", FIRST]

        def outcome(figures):
            result = (figures["job"] or {}).get("result") or {}
            return [result.get(key) for key in
                    ("extentsReplaced", "referencesMoved", "predictedBytes")]

        return [
            bars.at_most("a weekly run: wall, over the first's",
                         bars.ratio(week["wallSeconds"], first["wallSeconds"]),
                         WEEKLY_WALL_AT_MOST, " times"),
            bars.at_most("a weekly run: read, of what the content takes packed",
                         bars.ratio(week["readBytes"], week["before"]["dataBytes"]),
                         WEEKLY_READ_AT_MOST, " times"),
            bars.at_most("the same of plain data, over the first's wall",
                         bars.ratio(plain["wallSeconds"], first["wallSeconds"]),
                         WEEKLY_WALL_AT_MOST, " times"),
            bars.at_most("without the cache: wall, over the first's",
                         bars.ratio(forgetful["wallSeconds"], first["wallSeconds"]), 1.15,
                         " times"),
            bars.at_least("without the cache the same was done",
                          float(outcome(week) == outcome(forgetful)), 1),
            bars.at_most("report: wall, over btrfs filesystem du -s",
                         bars.ratio(report["wallSeconds"], usage["wallSeconds"]), 1, " times"),
            bars.at_most("report: memory", report["memoryBytes"] / MEBIBYTE, REPORT_MEBIBYTES,
                         " MiB")]


def main():
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.disk", description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path, required=True, help="for the disks")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="those to measure")
    parser.add_argument("--frames", type=pathlib.Path, required=True,
                        help="what makes the content: bench-disk-frames")
    parser.add_argument("--gibibytes", type=int, default=300, help="of packed content")
    parser.add_argument("--memory-mebibytes", type=int, default=384, metavar="MIB",
                        help="for daemon and worker, 0 for no limit")
    parser.add_argument("--duperemove", action="store_true", help="measure it, too: takes hours")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.directory.mkdir(parents=True, exist_ok=True)
    try:
        DiskBench(options).run()
    finally:
        measure.Timed.end_all()


if __name__ == "__main__":
    main()
