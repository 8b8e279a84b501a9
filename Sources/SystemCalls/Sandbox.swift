// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
public import SystemPackage

/// What a process forbids itself, for good (`landlock(7)`).
public enum Sandbox {
    /// What came of it.
    public enum Outcome: Equatable, Sendable {
        /// The kernel enforces it, with this version of Landlock.
        case enforced(version: Int)
        /// The kernel has no Landlock.
        case unavailable
    }

    /// From here on no file can be opened for writing, made, removed, renamed or cut, by this
    /// process and its children, but beneath the given directories. Descriptors that are open stay
    /// what they are. Reading is not restricted. Cutting by path is forbidden from version 3 on
    /// (Linux 6.2).
    ///
    /// Only the calling thread and those it starts afterwards are bound: call it before any other
    /// thread is started.
    public static func forbidWriting(
        exceptBeneath directories: [SharedDescriptor]
    ) throws(Errno) -> Outcome {
        let version = csystemcalls_landlock_abi()
        guard version >= 1 else { return .unavailable }
        let access = writeAccess(version: version)
        let ruleset = Descriptor(owning: try checked(csystemcalls_landlock_create(access)))
        for directory in directories {
            try checked(
                csystemcalls_landlock_allow_beneath(
                    ruleset.rawValue, directory.descriptor.rawValue, access))
        }
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

/// What ties a process to the one that started it.
public enum Parent {
    /// From here on this process is killed when the thread that started it ends (`prctl(2)`,
    /// PR_SET_PDEATHSIG). Fails with ESRCH when the parent is gone already.
    public static func dieWithIt() throws(Errno) {
        try checked(csystemcalls_die_with_parent())
    }
}

/// How much of the machine a process takes.
public enum Priority {
    /// Behind everybody else: the idle class for reads and writes, where the disk's scheduler knows
    /// classes (`ioprio_set(2)`), and the least weight for the CPU (nice 19, SCHED_BATCH).
    ///
    /// Not SCHED_IDLE: on a busy machine such a thread gets the CPU once a second or so, also while
    /// the kernel holds locks of the file system for it that others wait for.
    ///
    /// Only the calling thread and those it starts afterwards step back: call it before any other
    /// thread is started.
    public static func stepBack() {
        _ = csystemcalls_idle_io()
        _ = csystemcalls_batch_cpu()
    }
}
