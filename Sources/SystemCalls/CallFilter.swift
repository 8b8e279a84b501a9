// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// The second tie of a process, for good: a filter of system calls (`seccomp(2)`), which every
/// kernel has, whatever its security modules.
///
/// A filter sees the registers of a call and nothing that they point to. So it knows how a file is
/// opened, and not which: it lets files be opened for reading, and for writing only those that have
/// no name and can never get one. What changes files or directories by name is refused, and so is
/// what it cannot see through (`openat2(2)`, whose flags are in memory; `io_uring(7)`, which makes
/// calls by another way) and what is newer than this list.
public enum CallFilter {
    /// Which threads are bound.
    public enum Scope: Sendable {
        /// All that the process has, and those that it starts.
        case process
        /// The calling one, and those that it starts.
        case thread
    }

    /// What may be changed of files that are open for reading.
    public enum Attributes: Sendable {
        /// Nothing.
        case none
        /// Flags and extended attributes, as of a directory that hands them down.
        case flagsAndProperties
    }

    /// From here on the filter holds, for children as well. A refused call fails with EPERM, with
    /// ENOSYS where the caller may have another way; whoever calls with the numbers of another
    /// architecture is killed.
    ///
    /// `Privileges.takeNoNew()` before it. Fails with ENOSYS on another architecture than x86_64,
    /// and with EINVAL on a kernel without filters.
    public static func forbidWriting(
        in scope: Scope, changing attributes: Attributes = .none
    ) throws(Errno) {
        #if arch(x86_64)
            let program = CallProgram(changing: attributes).instructions
            let result = unsafe program.withUnsafeBytes {
                unsafe csystemcalls_filter_calls(
                    $0.baseAddress, UInt16(program.count), scope == .process ? 1 : 0)
            }
            // With TSYNC, the number of a thread that could not be bound.
            if try checked(result) > 0 { throw .noSuchProcess }
        #else
            throw .noFunction
        #endif
    }
}

/// The filter as a program for the kernel (classic BPF, `seccomp_data` of `linux/seccomp.h`).
struct CallProgram {
    /// An instruction (`struct sock_filter` of `linux/filter.h`).
    struct Instruction: Equatable {
        var code: UInt16
        var ifTrue: UInt8 = 0
        var ifFalse: UInt8 = 0
        var value: UInt32
    }

    private(set) var instructions: [Instruction] = []

    // The codes that are used: load a word, and it with a constant, compare, and end.
    private static let load: UInt16 = 0x20
    private static let and: UInt16 = 0x54
    private static let isEqual: UInt16 = 0x15
    private static let isGreater: UInt16 = 0x25
    private static let isAtLeast: UInt16 = 0x35
    private static let hasAny: UInt16 = 0x45
    private static let end: UInt16 = 0x06

    // What becomes of a call (`linux/seccomp.h`).
    private static let allow: UInt32 = 0x7fff_0000
    private static let kill: UInt32 = 0x8000_0000
    private static let failure: UInt32 = 0x0005_0000
    private static var refuse: UInt32 { failure | UInt32(EPERM) }
    private static var unknown: UInt32 { failure | UInt32(ENOSYS) }

    /// AUDIT_ARCH_X86_64.
    private static let architecture: UInt32 = 0xc000_003e
    /// Numbers from here on are those of the x32 variant.
    private static let otherNumbers: UInt32 = 0x4000_0000

    // Where `seccomp_data` has them; of an argument the lower half, as the kernel takes no more.
    private static let numberOffset: UInt32 = 0
    private static let architectureOffset: UInt32 = 4
    private static func argumentOffset(_ index: UInt32) -> UInt32 { 16 + 8 * index }

    init(changing attributes: CallFilter.Attributes) {
        instructions.append(.init(code: Self.load, value: Self.architectureOffset))
        unless(Self.isEqual, Self.architecture, Self.kill)
        instructions.append(.init(code: Self.load, value: Self.numberOffset))
        when(Self.isAtLeast, Self.otherNumbers, Self.kill)
        when(Self.isGreater, SystemCallNumber.newest, Self.unknown)
        for number in SystemCallNumber.hidden { when(Self.isEqual, number, Self.unknown) }
        for number in SystemCallNumber.byName { when(Self.isEqual, number, Self.refuse) }
        if case .none = attributes {
            for number in SystemCallNumber.ofAttributes { when(Self.isEqual, number, Self.refuse) }
        }
        on(SystemCallNumber.open, Self.opening(flagsIn: 1))
        on(SystemCallNumber.openat, Self.opening(flagsIn: 2))
        on(SystemCallNumber.openByHandle, Self.openingForReading(flagsIn: 2))
        on(SystemCallNumber.ioctl, Self.control(attributes))
        instructions.append(.init(code: Self.end, value: Self.allow))
    }

    private mutating func when(_ code: UInt16, _ value: UInt32, _ ending: UInt32) {
        instructions.append(.init(code: code, ifFalse: 1, value: value))
        instructions.append(.init(code: Self.end, value: ending))
    }

    private mutating func unless(_ code: UInt16, _ value: UInt32, _ ending: UInt32) {
        instructions.append(.init(code: code, ifTrue: 1, value: value))
        instructions.append(.init(code: Self.end, value: ending))
    }

    /// A call whose arguments decide; `part` ends in any case.
    private mutating func on(_ number: UInt32, _ part: [Instruction]) {
        instructions.append(
            .init(code: Self.isEqual, ifFalse: UInt8(part.count), value: number))
        instructions += part
    }

    private static var making: UInt32 { UInt32(O_CREAT | O_TRUNC) }
    private static var writing: UInt32 { UInt32(O_ACCMODE) }
    /// A file without a name (the bit that O_TMPFILE has beside O_DIRECTORY) that can get none.
    private static var nameless: UInt32 {
        UInt32(csystemcalls_O_TMPFILE) | UInt32(O_EXCL)
    }

    /// For reading, and for writing what has no name. O_TRUNC cuts and O_CREAT makes a file also
    /// where it is opened for reading.
    private static func opening(flagsIn argument: UInt32) -> [Instruction] {
        [
            .init(code: load, value: argumentOffset(argument)),
            .init(code: hasAny, ifTrue: 4, value: making),
            .init(code: hasAny, ifFalse: 2, value: writing),
            .init(code: and, value: nameless),
            .init(code: isEqual, ifFalse: 1, value: nameless),
            .init(code: end, value: allow),
            .init(code: end, value: refuse),
        ]
    }

    private static func openingForReading(flagsIn argument: UInt32) -> [Instruction] {
        [
            .init(code: load, value: argumentOffset(argument)),
            .init(code: hasAny, ifFalse: 1, value: making | writing),
            .init(code: end, value: refuse),
            .init(code: end, value: allow),
        ]
    }

    /// Of Btrfs' own requests those that `ControlRequest` lists; of others all but those that
    /// change what a file has.
    private static func control(_ attributes: CallFilter.Attributes) -> [Instruction] {
        var part: [Instruction] = [.init(code: load, value: argumentOffset(1))]
        if case .none = attributes {
            for request in ControlRequest.ofAttributes {
                part.append(.init(code: isEqual, ifFalse: 1, value: request))
                part.append(.init(code: end, value: refuse))
            }
        }
        // The kind and the number of a request; above them are direction and length.
        part.append(.init(code: and, value: 0xffff))
        for number in ControlRequest.ofBtrfs {
            part.append(.init(code: isEqual, ifFalse: 1, value: ControlRequest.kind | number))
            part.append(.init(code: end, value: allow))
        }
        part.append(.init(code: and, value: 0xff00))
        part.append(.init(code: isEqual, ifTrue: 1, value: ControlRequest.kind))
        part.append(.init(code: end, value: allow))
        part.append(.init(code: end, value: refuse))
        return part
    }
}

/// The numbers of requests to Btrfs (`linux/btrfs.h`), and of those to any file system that a
/// filter must know.
enum ControlRequest {
    /// BTRFS_IOCTL_MAGIC, where a request has it.
    static let kind: UInt32 = 0x9400

    /// What a worker asks for: to read trees and accounts, to commit, to compare and share, and to
    /// read and write packed extents. None of them changes a file that is open for reading. Beside
    /// them are those that remove a snapshot, unshare a file or take a device away.
    static let ofBtrfs: [UInt32] = [
        8,  // SYNC
        17,  // TREE_SEARCH, TREE_SEARCH_V2
        18,  // INO_LOOKUP
        20,  // SPACE_INFO
        29,  // SCRUB_PROGRESS
        30,  // DEV_INFO
        31,  // FS_INFO
        36,  // LOGICAL_INO
        45,  // QUOTA_RESCAN_STATUS
        52,  // GET_DEV_STATS
        54,  // FIDEDUPERANGE
        59,  // LOGICAL_INO_V2
        60,  // GET_SUBVOL_INFO
        64,  // ENCODED_READ, ENCODED_WRITE
    ]

    /// FS_IOC_SETFLAGS in both widths, and FS_IOC_FSSETXATTR.
    static let ofAttributes: [UInt32] = [0x4008_6602, 0x4004_6602, 0x401c_5820]
}

/// The kernel's numbers of system calls on x86_64 (`asm/unistd_64.h`), as far as a filter must know
/// them. They never change.
enum SystemCallNumber {
    static let open: UInt32 = 2
    static let ioctl: UInt32 = 16
    static let openat: UInt32 = 257
    static let openByHandle: UInt32 = 304

    /// The last that was known when the lists were made (file_setattr, Linux 6.17). What came later
    /// does not exist, as on an older kernel: the C library has another way, for it must run there.
    static let newest: UInt32 = 469

    /// What a filter cannot see through, by name.
    static let hiddenNames: [String: UInt32] = [
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "openat2": 437,
    ]

    /// What makes, removes, renames, cuts or changes a file by its name, or its owner and mode by
    /// any way; and what writes to files of others by a way of its own.
    static let refusedNames: [String: UInt32] = [
        "truncate": 76, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86,
        "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93,
        "lchown": 94, "ptrace": 101, "utime": 132, "mknod": 133, "acct": 163, "swapon": 167,
        "setxattr": 188, "lsetxattr": 189, "removexattr": 197, "lremovexattr": 198, "utimes": 235,
        "mq_open": 240, "mq_unlink": 241,
        "mkdirat": 258, "mknodat": 259, "fchownat": 260, "futimesat": 261, "unlinkat": 263,
        "renameat": 264, "linkat": 265, "symlinkat": 266, "fchmodat": 268, "utimensat": 280,
        "fanotify_init": 300, "fanotify_mark": 301, "process_vm_writev": 311, "renameat2": 316,
        "pidfd_getfd": 438, "fchmodat2": 452,
        "setxattrat": 463, "removexattrat": 466, "file_setattr": 469,
    ]

    /// What changes extended attributes of a file that is open.
    static let attributeNames: [String: UInt32] = ["fsetxattr": 190, "fremovexattr": 199]

    static let hidden = hiddenNames.values.sorted()
    static let byName = refusedNames.values.sorted()
    static let ofAttributes = attributeNames.values.sorted()
}
