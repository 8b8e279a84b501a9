// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// An open file, directory or socket that this value owns: it is closed when the value goes.
public struct Descriptor: ~Copyable, Sendable {
    /// The kernel's number, for calls within this package. It is valid while the value lives.
    package let rawValue: Int32

    /// Takes over a number that nobody else will close.
    package init(owning rawValue: Int32) { self.rawValue = rawValue }

    deinit { _ = Glibc.close(rawValue) }

    /// A descriptor of our own for an open file that somebody else holds, as a standard stream.
    public static func duplicate(of other: FileDescriptor) throws(Errno) -> Descriptor {
        Descriptor(owning: try checked(fcntl(other.rawValue, F_DUPFD_CLOEXEC, 3)))
    }

    /// Another descriptor of the same open file (`fcntl(2)`, F_DUPFD_CLOEXEC).
    public borrowing func duplicate() throws(Errno) -> Descriptor {
        Descriptor(owning: try checked(fcntl(rawValue, F_DUPFD_CLOEXEC, 3)))
    }

    /// Lets go of its open file for another's, under the same number (`dup3(2)`): a call that is in
    /// the kernel goes on with the old one.
    public borrowing func become(_ other: borrowing Descriptor) throws(Errno) {
        try checked(csystemcalls_become(rawValue, other.rawValue))
    }
}

/// A descriptor that several owners share; closed when the last lets go.
public final class SharedDescriptor: Sendable {
    /// The descriptor.
    public let descriptor: Descriptor

    /// Takes it over.
    public init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

/// How to open.
public struct OpenFlags: OptionSet, Sendable {
    /// The bits of `open(2)`.
    public let rawValue: Int32

    /// From bits of `open(2)`.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// For reading.
    public static let readOnly = OpenFlags(rawValue: O_RDONLY)
    /// For writing.
    public static let writeOnly = OpenFlags(rawValue: O_WRONLY)
    /// For both.
    public static let readWrite = OpenFlags(rawValue: O_RDWR)
    /// Nothing but a directory.
    public static let directory = OpenFlags(rawValue: O_DIRECTORY)
    /// Make it when it is not there.
    public static let create = OpenFlags(rawValue: O_CREAT)
    /// Fail when it is there.
    public static let exclusive = OpenFlags(rawValue: O_EXCL)
    /// Write at the end.
    public static let append = OpenFlags(rawValue: O_APPEND)
    /// Cut to nothing.
    public static let truncate = OpenFlags(rawValue: O_TRUNC)
    /// Not through a link at the end of the path.
    public static let noFollow = OpenFlags(rawValue: O_NOFOLLOW)
    /// Do not wait for the other end of a pipe.
    public static let nonBlocking = OpenFlags(rawValue: O_NONBLOCK)
    /// A nameless file in the directory.
    public static let temporary = OpenFlags(rawValue: csystemcalls_O_TMPFILE)
}

extension Descriptor {
    /// Opens a path (`open(2)`), never passed on to a child.
    public static func open(
        _ path: FilePath, _ flags: OpenFlags, mode: UInt32 = 0o600
    ) throws(Errno) -> Descriptor {
        let descriptor = unsafe path.withPlatformString {
            unsafe openat(AT_FDCWD, $0, flags.rawValue | O_CLOEXEC | O_NOCTTY, mode)
        }
        return Descriptor(owning: try checked(descriptor))
    }

    /// Opens a path beneath this directory and nothing outside of it: no `..`, no link, no absolute
    /// path. What is mounted on the way is entered. EXDEV, ELOOP and ENOENT tell what was in the
    /// way.
    ///
    /// Name by name (`openat(2)`, O_NOFOLLOW), each from the directory that was opened before it,
    /// so that nobody who swaps a directory for a link can lead out; and not by `openat2(2)`, whose
    /// flags no filter of system calls can see.
    public borrowing func open(
        beneath path: FilePath, _ flags: OpenFlags, mode: UInt32 = 0o600
    ) throws(Errno) -> Descriptor {
        guard path.root == nil, !path.components.contains(where: { $0.kind == .parentDirectory })
        else { throw .improperLink }
        if path.isEmpty { throw .noSuchFileOrDirectory }
        let names = path.components.filter { $0.kind == .regular }.map(\.string)
        return try open(names: names[...], flags, mode)
    }

    private borrowing func open(
        names: ArraySlice<String>, _ flags: OpenFlags, _ mode: UInt32
    ) throws(Errno) -> Descriptor {
        guard let name = names.first else { return try open(entry: ".", flags, mode) }
        if names.count == 1 { return try open(entry: name, flags, mode) }
        // Only to pass through: it need not be readable.
        let passing = OpenFlags(rawValue: csystemcalls_O_PATH).union(.directory)
        return try open(entry: name, passing, 0).open(names: names.dropFirst(), flags, mode)
    }

    /// A name in this directory, which is no link.
    private borrowing func open(
        entry name: String, _ flags: OpenFlags, _ mode: UInt32
    ) throws(Errno) -> Descriptor {
        let bits = flags.rawValue | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY
        do throws(Errno) {
            return Descriptor(owning: try checked(unsafe openat(rawValue, name, bits, mode)))
        } catch .notDirectory {
            // With O_DIRECTORY a link is no directory to the kernel, and says so.
            let isLink = (try? status(ofEntry: name).isLink) == true
            throw isLink ? .tooManySymbolicLinkLevels : .notDirectory
        }
    }

    /// A pipe (`pipe2(2)`): what is written to the second comes out of the first.
    public static func pipe() throws(Errno) -> DescriptorPair {
        var reading: Int32 = -1
        var writing: Int32 = -1
        unsafe try checked(csystemcalls_pipe(&reading, &writing))
        return DescriptorPair(
            first: Descriptor(owning: reading), second: Descriptor(owning: writing))
    }
}

/// Two descriptors that belong together.
public struct DescriptorPair: ~Copyable, Sendable {
    /// The end to read from, of a pipe.
    public let first: Descriptor
    /// The end to write to, of a pipe.
    public let second: Descriptor

    /// Makes a pair.
    init(first: consuming Descriptor, second: consuming Descriptor) {
        self.first = first
        self.second = second
    }

    /// Both, each to its own owner.
    public consuming func split<Failure: Error>(
        _ body: (consuming Descriptor, consuming Descriptor) throws(Failure) -> Void
    ) throws(Failure) {
        try body(first, second)
    }
}

/// The result of a system call, or errno.
@discardableResult
package func checked(_ result: Int32) throws(Errno) -> Int32 {
    if result < 0 { throw Errno(rawValue: errno) }
    return result
}

/// The result of a system call that counts bytes, or errno.
package func checked(_ result: Int) throws(Errno) -> Int {
    if result < 0 { throw Errno(rawValue: errno) }
    return result
}

/// A system call, again and again while a signal interrupts it.
package func retrying(_ call: () -> Int) throws(Errno) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        let reason = Errno(rawValue: errno)
        if reason != .interrupted { throw reason }
    }
}
