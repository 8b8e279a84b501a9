// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// The first tie of a process, for good (`landlock(7)`); not every kernel has it on.
public enum Landlock {
    /// What came of it.
    public enum Outcome: Equatable, Sendable {
        /// The kernel enforces it, with this version of Landlock.
        case enforced(version: Int)
        /// It is not to be had: ENOSYS where it is not built in, EOPNOTSUPP where it is switched
        /// off.
        case unavailable(Errno)
    }

    /// From here on no file can be opened for writing, made, removed, renamed or cut, by this
    /// process and its children. Descriptors that are open stay what they are. Reading is not
    /// restricted. Cutting by path is forbidden from version 3 on (Linux 6.2).
    ///
    /// Only the calling thread and those it starts afterwards are bound: call it before any other
    /// thread is started, and `Privileges.takeNoNew()` before it.
    public static func forbidWriting() throws(Errno) -> Outcome {
        let version = csystemcalls_landlock_abi()
        guard version >= 1 else { return .unavailable(Errno(rawValue: errno)) }
        let ruleset = Descriptor(
            owning: try checked(csystemcalls_landlock_create(writeAccess(version: version))))
        try checked(csystemcalls_landlock_restrict_self(ruleset.rawValue))
        return .enforced(version: Int(version))
    }

    /// Every right of `linux/landlock.h` that changes a file system, as far as this version knows
    /// it.
    private static func writeAccess(version: Int32) -> UInt64 {
        let writeFile: UInt64 = 1 << 1
        let removeAndMake: UInt64 = (4...12).reduce(0) { $0 | 1 << UInt64($1) }
        let refer: UInt64 = version >= 2 ? 1 << 13 : 0
        let truncate: UInt64 = version >= 3 ? 1 << 14 : 0
        return writeFile | removeAndMake | refer | truncate
    }
}

/// What a process may come to by the programs it starts.
public enum Privileges {
    /// From here on this process and its children get no right by a program that they start
    /// (`prctl(2)`, PR_SET_NO_NEW_PRIVS), which both ties ask for.
    public static func takeNoNew() throws(Errno) {
        try checked(csystemcalls_no_new_privileges())
    }
}

/// What ties a process to the one that started it.
public enum Parent {
    /// From here on this process is killed when the thread that started it ends (`prctl(2)`,
    /// PR_SET_PDEATHSIG). Fails with ESRCH when the parent is gone already.
    public static func dieWithIt() throws(Errno) {
        try checked(csystemcalls_die_with_parent())
    }
}

/// How much of the machine a process takes.
///
/// Only the calling thread and those it starts afterwards step back.
public enum Priority {
    /// Behind everybody else on the disk: the idle class for reads and writes, where the disk's
    /// scheduler knows classes (`ioprio_set(2)`).
    public static func stepBackOnDisk() { _ = csystemcalls_idle_io() }

    /// The least weight for the CPU (nice 19, SCHED_BATCH). There is no way back without rights
    /// that the daemon does not have.
    ///
    /// Not SCHED_IDLE: on a busy machine such a thread gets the CPU once a second or so, also while
    /// the kernel holds locks of the file system for it that others wait for.
    public static func stepBackOnCPU() { _ = csystemcalls_batch_cpu() }
}
