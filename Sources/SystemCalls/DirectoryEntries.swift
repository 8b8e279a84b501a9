// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// What a directory says of an entry without a look at it.
public enum EntryKind: Equatable, Sendable {
    /// A regular file.
    case file
    /// A directory, or what is mounted there.
    case directory
    /// A link, a pipe, a device.
    case other
}

extension Descriptor {
    /// The names in this directory without `.` and `..`, sorted.
    public borrowing func entries() throws(Errno) -> [String] {
        var names: [String] = []
        try forEachEntry { name, _ in names.append(name) }
        return names.sorted()
    }

    /// Hands out the entries of this directory without `.` and `..`, in no order, one by one
    /// (`readdir(3)`): however many there are, none is kept.
    ///
    /// Of file systems that do not tell the kind of an entry, it is `other`; Btrfs does.
    public borrowing func forEachEntry(
        _ body: (_ name: String, _ kind: EntryKind) throws(Errno) -> Void
    ) throws(Errno) {
        let own = unsafe try checked(openat(rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        guard let stream = unsafe fdopendir(own) else {
            let reason = Errno(rawValue: errno)
            close(own)
            throw reason
        }
        defer { unsafe closedir(stream) }
        errno = 0
        while let entry = unsafe readdir(stream) {
            let name = unsafe String(cString: csystemcalls_name(entry))
            let type = unsafe Int32(entry.pointee.d_type)
            if name != "." && name != ".." { try body(name, Self.kind(type)) }
            errno = 0
        }
        // The end and an error look alike but for errno; half a listing is no listing.
        if errno != 0 { throw Errno(rawValue: errno) }
    }

    private static func kind(_ type: Int32) -> EntryKind {
        // DT_REG and DT_DIR of dirent.h, which are values of an enumeration without a name.
        switch type {
        case 8: .file
        case 4: .directory
        default: .other
        }
    }

    /// Opens a directory in this one for reading: no link, and nothing that is mounted there
    /// (`statx(2)`, STATX_MNT_ID, before and after). Fails with EXDEV where something is, and with
    /// ELOOP or ENOTDIR where it is no directory.
    ///
    /// It is looked at first, so that nothing is mounted because somebody came by.
    public borrowing func open(directoryOfSameMount name: String) throws(Errno) -> Descriptor {
        let own = try mountIdentifier(ofEntry: "")
        guard try mountIdentifier(ofEntry: name) == own else { throw .improperLink }
        let directory = try open(beneath: FilePath(name), [.readOnly, .directory])
        guard try directory.mountIdentifier(ofEntry: "") == own else { throw .improperLink }
        return directory
    }

    /// The mount that a name in this directory leads to, itself for the empty name.
    private borrowing func mountIdentifier(ofEntry name: String) throws(Errno) -> UInt64 {
        var identifier: UInt64 = 0
        try checked(unsafe csystemcalls_mount_identifier(rawValue, name, &identifier))
        return identifier
    }
}
