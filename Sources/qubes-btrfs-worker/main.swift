// SPDX-License-Identifier: GPL-2.0-or-later
internal import Glibc
internal import Worker

exit(WorkerProgram.run(arguments: CommandLine.arguments))
