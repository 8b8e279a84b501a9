# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the bench: `python3 -m bench --help`, with Benchmarks/ as Python's path."""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import platform
import re
import signal
import statistics
import sys
import time

from . import bars, ideal, images, measure, output, packed, picture
from .system import MEBIBYTE, Disk, drop_caches, run, say
from .live import Live
from .tools import CHANGED, COMPARED, FIRST, all_tools

CHANGED_BYTES = 50 * MEBIBYTE


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path, required=True, help="for the disks")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="those to measure")
    parser.add_argument("--results", type=pathlib.Path, required=True, help="for JSON and SVG")
    parser.add_argument("--size", choices=sorted(images.SCALES), default="default")
    parser.add_argument("--repeated-mebibytes", type=int, default=256, metavar="MIB",
                        help="repeated data in each image in the last run, 0 for no such run")
    parser.add_argument("--only", default="", help="tools with one of these, parted by commas, in their names")
    return parser.parse_args()


class Bench:
    """One set, restored for every tool."""

    def __init__(self, options):
        self.options, self.cores = options, len(os.sched_getaffinity(0))
        self.scratch = options.directory / "scratch"
        self.mount_point = options.directory / "dom0"
        self.pristine = options.directory / f"pristine-{options.size}-{images.VERSION}.img"
        self.described = self.pristine.with_suffix(".json")

    def relative(self, fingerprints):
        """Fingerprints by names that do not depend on the mount point."""
        return {os.path.relpath(path, self.mount_point): value
                for path, value in fingerprints.items()}

    def pristine_set(self):
        """Builds the set where it is missing, and gives its figures."""
        if self.pristine.exists() and self.described.exists():
            say(f"The set stands in {self.pristine}")
            return json.loads(self.described.read_text(encoding="utf-8"))
        say(f"Building the set once, in {self.pristine}")
        self.described.unlink(missing_ok=True)
        unfinished = self.pristine.with_suffix(".unfinished")
        self.scratch.mkdir(exist_ok=True)
        images.build(unfinished, self.mount_point, self.scratch, self.options.size)
        say("  digests, and the blocks that differ")
        with Disk(unfinished, self.mount_point) as disk:
            found, used = disk.images(), disk.settled()
            figures = ideal.measure(found, images.DISK_BYTES[self.options.size], self.cores)
            fingerprints = self.relative(ideal.fingerprint(found, self.cores))
            figures["idealPackedBytes"] = packed.measure(
                found, images.DISK_BYTES[self.options.size])
        figures |= {"files": len(found), "onDiskBytes": used["dataBytes"],
                    "metadataBytes": used["metadataBytes"],
                    "possibleBytes": used["dataBytes"] - figures["idealBytes"]}
        os.rename(unfinished, self.pristine)
        description = {"figures": figures, "fingerprints": fingerprints}
        self.described.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        return description

    def proof(self, disk, expected):
        """Compares every image with what it was."""
        found = self.relative(ideal.fingerprint(disk.images(), self.cores))
        wrong = [name for name in expected if found.get(name) != expected[name]]
        for name in wrong:
            say(f"  CHANGED: {name}: {expected[name]} is now {found.get(name)}")
        return {"files": len(expected), "wrong": len(wrong)}

    def one_run(self, tool, disk, which, before):
        """One measured run, with the count before it where nothing has changed since."""
        before = before or disk.settled() | disk.layout()
        drop_caches()
        background = measure.background_cores()
        tool.start(disk, which)
        figures = measure.measured(disk, lambda: tool.work(disk, which))
        figures = tool.stop(figures, which)
        if which == FIRST and tool.kind == "optimize":
            figures["readSeconds"] = measure.read_in_order(disk)
        after = disk.settled() | disk.layout()
        foreign = figures["allSeconds"] - figures["processSeconds"] - figures["kernelSeconds"]
        return {"tool": tool.name, "kind": tool.kind, "run": which, **figures,
                "before": before, "after": after, "backgroundCores": background,
                "foreignSeconds": round(max(foreign, 0), 2),
                "freedBytes": before["dataBytes"] - after["dataBytes"]}

    def folder_of(self, tool):
        """Where a tool keeps its files; without what means something to a shell."""
        return self.options.directory / "tools" / re.sub("[^a-z0-9]+", "-", tool.name.lower())

    def runs_of(self, tool, fingerprints):
        """Every run of a tool, on a set of its own."""
        expected = dict(fingerprints)
        with self.restored(tool) as disk:
            before, fill = None, None
            read_before = measure.read_in_order(disk) if tool.kind == "optimize" else None
            if tool.fill_bytes > 0:
                fill = images.fill(disk, tool.fill_bytes)
                expected = self.relative(ideal.fingerprint(disk.images(), self.cores))
            for index, which in enumerate(tool.runs):
                if which == CHANGED:
                    image = images.change(disk, self.scratch, CHANGED_BYTES)
                    before = None
                    expected |= self.relative(ideal.fingerprint([image], 1))
                say(f"{tool.name}, {which} ...")
                result = self.one_run(tool, disk, which, before)
                before = result["after"]
                result["readBeforeSeconds"] = read_before
                if fill:
                    result["fill"] = fill
                following = tool.runs[index + 1:index + 2]
                if tool.is_ours and tool.kind != "live" and following in ((), (CHANGED,)):
                    result["proof"] = self.proof(disk, expected)
                yield result

    @contextlib.contextmanager
    def restored(self, tool):
        """The set as it was, for a tool that knows nothing of another one; whatever it has started
        is over at the end."""
        disk = Disk(self.options.directory / "disk.img", self.mount_point)
        disk.restore(self.pristine)
        tool.prepare(self.folder_of(tool))
        with disk, contextlib.ExitStack() as ending:
            ending.callback(measure.Timed.end_all)
            yield disk

    def wall_of(self, tool):
        """The wall time of one more first run."""
        with self.restored(tool) as disk:
            if tool.fill_bytes > 0:
                images.fill(disk, tool.fill_bytes)
            drop_caches()
            tool.start(disk, FIRST)
            figures = measure.measured(disk, lambda: tool.work(disk, FIRST))
            return tool.stop(figures, FIRST)["wallSeconds"]

    def repeat_by_turns(self, tools, runs):
        """Runs what is compared twice more, by turns, so that a busy minute of the machine falls
        on all."""
        first = {run["tool"]: run for run in runs if run["run"] == FIRST}
        for names in COMPARED:
            members = [tool for tool in tools if tool.name in names and tool.name in first]
            if len(members) < 2:
                continue
            for tool in members:
                first[tool.name]["walls"] = [first[tool.name]["wallSeconds"]]
            for _ in range(2):
                for tool in members:
                    first[tool.name]["walls"].append(self.wall_of(tool))
            for tool in members:
                walls = first[tool.name]["walls"]
                first[tool.name]["wallSeconds"] = statistics.median(walls)
                say(f"{tool.name}: {', '.join(f'{wall:.2f}' for wall in walls)} s")

    def machine(self):
        """What it was measured on."""
        return {"cores": self.cores, "kernel": platform.release(),
                "memoryBytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
                "duperemove": run("duperemove", "--version").split()[-1],
                "btrfsProgs": run("btrfs", "--version").split()[-1]}

    def run(self):
        """Everything; gives whether it all worked. What bars do not hold is no failure."""
        start = time.monotonic()
        description = self.pristine_set()
        figures = description["figures"] | {"cores": self.cores}
        say(output.describe(figures))
        scale = images.SCALES[self.options.size]
        fill_bytes = int(self.options.repeated_mebibytes * scale) * MEBIBYTE
        runs = []
        tools = [*all_tools(self.options.programs, fill_bytes), Live(self.options.programs)]
        tools = [tool for tool in tools
                 if any(part in tool.name for part in self.options.only.split(","))]
        for tool in tools:
            for result in self.runs_of(tool, description["fingerprints"]):
                say(output.row(result, figures["possibleBytes"]))
                runs.append(result)
        self.repeat_by_turns(tools, runs)
        (self.options.directory / "disk.img").unlink(missing_ok=True)
        found = bars.all_bars(runs, figures, CHANGED_BYTES)
        self.write(figures, runs, found)
        notes = output.disturbances(runs)
        print(f"\n{output.describe(figures)}\n\n{output.table(runs, figures)}\n")
        print(f"{output.bar_lines(found)}\n" + (f"\n{notes}\n" if notes else ""))
        print(f"{time.monotonic() - start:.0f} s in all")
        return all(run["status"] == 0 and not (run.get("proof") or {}).get("wrong")
                   for run in runs)

    def write(self, figures, runs, found):
        """JSON beside the disks and in the results; the picture in the results."""
        text = json.dumps({"version": 1, "setVersion": images.VERSION, "size": self.options.size,
                           "machine": self.machine(), "set": figures, "runs": runs,
                           "bars": found}, indent=1) + "\n"
        self.options.results.mkdir(parents=True, exist_ok=True)
        for folder in {self.options.directory, self.options.results}:
            (folder / "latest.json").write_text(text, encoding="utf-8")
        if any(run["kind"] == "dedupe" for run in runs):
            (self.options.results / "dedupe.svg").write_text(
                picture.of_runs(runs, figures), encoding="utf-8")


def main():
    """One bench at a time in a directory."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.directory.mkdir(parents=True, exist_ok=True)
    with open(options.directory / "lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"Another bench runs in {options.directory}.")
        sys.exit(0 if Bench(options).run() else 1)


if __name__ == "__main__":
    main()
