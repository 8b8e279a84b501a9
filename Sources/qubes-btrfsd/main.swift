// SPDX-License-Identifier: GPL-2.0-or-later
import Client
import Glibc
import Service
import Worker

// What dom0 has: one file under three names, so that Swift's library, which is most of it, is there
// once. Before anything else it looks which one it was called by.
let arguments = CommandLine.arguments
switch arguments.first?.split(separator: "/").last {
case "qvm-btrfs": ClientProgram.main()
case "qubes-btrfs-worker": exit(WorkerProgram.run(arguments: arguments))
default: exit(DaemonProgram.run(arguments: arguments))
}
