// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Service

exit(DaemonProgram.run(arguments: CommandLine.arguments))
