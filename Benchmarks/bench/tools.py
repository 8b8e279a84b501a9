# SPDX-License-Identifier: GPL-2.0-or-later
"""The tools that are compared, and how each is started."""

import json
import os
import pathlib
import signal
import subprocess
import time

from . import images
from .measure import RUN_SECONDS_AT_MOST, Timed, child
from .system import emptied, run as system_run

SOCKET_SECONDS = 20
FIRST, AGAIN, CHANGED = "first", "again", "changed"
# A volume that shares nothing: the template that was installed a second time.
ONE = ("debian-12-again", "root")


class Tool:
    """A tool with a name, what it is for, and the runs it makes on one restored set."""

    is_ours = False
    # Bytes of zeroes and of one repeated block that every image gets before the first run.
    fill_bytes = 0

    def __init__(self, name, kind, runs=(FIRST,)):
        self.name, self.kind, self.runs = name, kind, runs

    def prepare(self, folder):
        """Forgets what it knew of another set. The folder is the tool's own, outside the set."""
        self.folder = emptied(folder)

    def start(self, disk, run):
        """Whatever comes before the clock runs."""

    def work(self, disk, run):
        """The work itself, under the clock."""
        raise NotImplementedError

    def stop(self, figures, run):
        """Whatever comes after the clock."""
        return figures


class Peer(Tool):
    """A program of Debian's."""

    def __init__(self, name, kind, command, runs=(FIRST,), before=()):
        super().__init__(name, kind, runs)
        self.command, self.before = command, before

    def start(self, disk, run):
        for words in self.before:
            system_run(*[word.format(qubes=disk.qubes, mount=disk.mount_point) for word in words])

    def work(self, disk, run):
        words = [word.format(qubes=disk.qubes, folder=self.folder) for word in self.command]
        timed = Timed(words, self.folder / f"{run}.log")
        status = timed.wait()
        return {"status": status} | timed.figures()


class Service(Tool):
    """Ours, the way users run it: the client asks the daemon, the daemon starts the worker.

    Memory and CPU are those of the daemon with its worker: the larger of their two peaks.
    """

    is_ours = True
    # Words before the daemon's, and further ones for it.
    wrapper, words = (), ()

    def __init__(self, name, operation, programs, runs=(FIRST,), about=("dom0",)):
        super().__init__(name, operation, runs)
        self.operation, self.programs, self.about = operation, pathlib.Path(programs), about

    def is_offered(self):
        """Whether this client knows the operation."""
        words = [self.programs / "qvm-btrfs", "--help"]
        return f" {self.operation}" in subprocess.run(
            words, capture_output=True, text=True, check=False).stdout

    def start(self, disk, run):
        for name in ("state", "cache"):
            (self.folder / name).mkdir(exist_ok=True)
        self.socket = self.folder / "socket"
        self.socket.unlink(missing_ok=True)
        description = self.folder / "qubes.xml"
        description.write_text(images.qubes_xml(disk.qubes), encoding="utf-8")
        self.daemon = Timed(
            [*self.wrapper, self.programs / "qubes-btrfsd", "--socket", self.socket,
             "--qubes-xml", description, "--worker", self.programs / "qubes-btrfs-worker",
             "--state-directory", self.folder / "state",
             "--cache-directory", self.folder / "cache",
             "--log-file", self.folder / "btrfs.log",
             # Never the folders of the machine that runs this.
             "--system-root", disk.mount_point, *self.words], self.folder / f"{run}.daemon.log")
        for _ in range(SOCKET_SECONDS * 20):
            if self.socket.exists():
                return
            if self.daemon.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"The daemon did not start, see {self.folder}/{run}.daemon.log")

    def work(self, disk, run):
        output = self.folder / f"{run}.json"
        with open(output, "wb") as lines:
            client = Timed(
                [self.programs / "qvm-btrfs", self.operation, *self.about, "--json",
                 "--socket", self.socket], self.folder / f"{run}.log", stdout=lines)
            status = client.wait(RUN_SECONDS_AT_MOST)
        return {"status": status, "processSeconds": client.figures()["processSeconds"]}

    def process(self):
        """The daemon's process number: below what wraps it."""
        return child(self.daemon.child()) if self.wrapper else self.daemon.child()

    def stop(self, figures, run):
        os.kill(self.process(), signal.SIGTERM)
        self.daemon.wait(60)
        used = self.daemon.figures()
        used["processSeconds"] = round(used["processSeconds"] + figures["processSeconds"], 2)
        return figures | used | {"job": self.job(run)}

    def job(self, run):
        """What the service itself says of the job."""
        for line in (self.folder / f"{run}.json").read_text(encoding="utf-8").splitlines():
            message = json.loads(line)
            if message.get("message") == "job":
                return {key: message.get(key) for key in ("state", "error", "result")}
        return None


class One(Service):
    """One volume that shares nothing."""

    def __init__(self, name, operation, programs, about):
        super().__init__(name, operation, programs, about=about)
        self.kind = "one"


class Filled(Service):
    """Dedupe once more, with data in every image that is the same everywhere."""

    def __init__(self, programs, fill_bytes):
        super().__init__("dedupe, repeated data", "dedupe", programs)
        self.kind, self.fill_bytes = "repeated", fill_bytes


# Whose wall times are compared: each is run three times, by turns, and its median counts.
COMPARED = (("qubes-btrfs dedupe", "duperemove same,partial", "dedupe, repeated data"),
            ("qubes-btrfs optimize", "defragment -czstd"),
            ("qubes-btrfs compress, one image", "defragment -czstd, one image"))


def all_tools(programs, fill_bytes):
    """Everything that is compared, ours first."""
    scan = ["duperemove", "-r", "-d", "-v", "--hashfile={folder}/hashfile"]
    ours = [Service("qubes-btrfs estimate", "estimate", programs),
            Service("qubes-btrfs dedupe", "dedupe", programs, (FIRST, AGAIN, CHANGED)),
            Service("qubes-btrfs compress", "compress", programs),
            Service("qubes-btrfs optimize", "optimize", programs, (FIRST, AGAIN)),
            One("qubes-btrfs compress, one image", "compress", programs, about=[":".join(ONE)])]
    peers = [
        Peer("duperemove same,partial", "dedupe",
             [*scan, "--dedupe-options=same,partial", "{qubes}"], (FIRST, AGAIN, CHANGED)),
        Peer("duperemove same", "dedupe", [*scan, "--dedupe-options=same", "{qubes}"],
             (FIRST, AGAIN)),
        Peer("defragment -czstd", "compress",
             ["btrfs", "filesystem", "defragment", "-r", "-czstd", "{qubes}"]),
        Peer("the guide's sequence", "both",
             ["sh", "-c", "btrfs filesystem defragment -r -czstd {qubes} && " + " ".join(
                 [*scan, "--dedupe-options=same,partial", "{qubes}"])],
             before=[["mount", "-o", "remount,compress=zstd", "{mount}"]]),
        Peer("defragment -czstd, one image", "one",
             ["btrfs", "filesystem", "defragment", "-czstd",
              "{qubes}/vm-templates/" + "/".join(ONE) + ".img"]),
    ]
    filled = [Filled(programs, fill_bytes)] if fill_bytes > 0 else []
    return [tool for tool in ours if tool.is_offered()] + peers + filled
