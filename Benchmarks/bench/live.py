# SPDX-License-Identifier: GPL-2.0-or-later
"""A qube at work: an ext4 on a loop device over an image, written to while a job runs."""

import json
import subprocess

from .system import Mounted, drop_caches, run
from .tools import FIRST, Service

WRITTEN_MEBIBYTES = 192
# What a qube writes in a busy moment: 4 to 64 KiB here and there, past its own page cache, and
# every block checked later.
FIO = ["fio", "--name=qube", "--rw=randwrite", "--bsrange=4k-64k", "--ioengine=psync", "--direct=1",
       f"--size={WRITTEN_MEBIBYTES}m", "--verify=crc32c", "--randseed=7", "--output-format=json",
       # Without it fio leaves a file of its state where it was started: in the checkout.
       "--verify_state_save=0"]
# So that the writer takes about as long as the job.
WRITES_A_SECOND = 400


class Live(Service):
    """Optimize the machine, running images too, while one of them is written to."""

    def __init__(self, programs):
        super().__init__("optimize beside a writer", "optimize", programs, (FIRST,),
                         about=("dom0", "--running"))
        self.kind = "live"

    def start(self, disk, run_name):
        super().start(disk, run_name)
        images = disk.qubes / "appvms/work"
        self.image = images / "private-dirty.img"
        run("cp", "--reflink=always", images / "private.img", self.image)
        with open(self.image, "ab") as file:
            file.truncate(file.tell() + (WRITTEN_MEBIBYTES + 64 << 20))
        subprocess.run(["e2fsck", "-fp", self.image], capture_output=True, check=False)
        run("resize2fs", self.image)
        self.mounted = Mounted(self.image, self.folder / "qube")
        self.mounted.__enter__()
        # Laid out first: a job is to meet blocks that are overwritten.
        self.fio("--verify=0", "--end_fsync=1", "--randseed=8")
        drop_caches()

    def fio(self, *options):
        """One run of fio in the qube's file system, as JSON."""
        text = run(*FIO, f"--directory={self.folder / 'qube'}", *options)
        return json.loads(text[text.index("{"):])["jobs"][0]

    def work(self, disk, run_name):
        words = [*FIO, f"--directory={self.folder / 'qube'}", "--do_verify=0", "--end_fsync=1",
                 f"--rate_iops={WRITES_A_SECOND}"]
        with open(self.folder / "writer.json", "wb") as out:
            writer = subprocess.Popen(words, stdout=out, stderr=subprocess.DEVNULL)
            try:
                return super().work(disk, run_name)
            finally:
                writer.wait()

    def stop(self, figures, run_name):
        figures = super().stop(figures, run_name)
        text = (self.folder / "writer.json").read_text(encoding="utf-8")
        job = json.loads(text[text.index("{"):])["jobs"][0]["write"]
        drop_caches()
        checked = self.fio("--verify_only")
        self.mounted.__exit__()
        check = subprocess.run(["e2fsck", "-fn", self.image], capture_output=True, check=False)
        figures["writer"] = {
            "writes": job["total_ios"], "slowestSeconds": job["clat_ns"]["max"] / 1e9,
            "middleSeconds": job["clat_ns"]["percentile"]["50.000000"] / 1e9,
            "p99Seconds": job["clat_ns"]["percentile"]["99.000000"] / 1e9,
            "verifyErrors": checked["error"], "fileSystemCheckStatus": check.returncode}
        return figures
