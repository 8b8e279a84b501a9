// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
internal import SystemPackage

/// The directories that one daemon alone may use at a time: two would each take the other's jobs
/// for interrupted, and write over each other's history and caches.
///
/// The lock is on the directory itself (`flock(2)`), so that a full disk has room for it, nothing
/// of it is left, and it ends with its holder, however that ends.
final class Ownership: Sendable {
    /// What is locked; none once it is given up.
    private let held: Monitor<[SharedDescriptor]>

    /// Takes them. One that cannot be opened is somebody else's to complain of.
    init(_ settings: Settings) throws(StartError) {
        var held: [SharedDescriptor] = []
        var seen: Set<FileStatus.Identity> = []
        for (kind, path) in [
            ("state", settings.stateDirectory), ("cache", settings.cacheDirectory),
        ] {
            guard let directory = try? Descriptor.open(path, [.readOnly, .directory]),
                let status = try? directory.status(), seen.insert(status.identity).inserted
            else { continue }
            do throws(Errno) {
                try directory.lock()
            } catch {
                throw StartError(description: Self.refusal(kind, path, error))
            }
            held.append(SharedDescriptor(directory))
        }
        self.held = Monitor(held)
    }

    private static func refusal(_ kind: String, _ path: FilePath, _ error: Errno) -> String {
        if error != .wouldBlock {
            return "the \(kind) directory \(path) cannot be locked: \(error)"
        }
        return "another qubes-btrfsd uses the \(kind) directory \(path). Stop that one"
            + " ('systemctl stop qubes-btrfsd.service qubes-btrfsd.socket'), or give this one"
            + " another by --\(kind)-directory"
    }

    /// Gives them up. To close them is not enough: a child that is just being started has them.
    func end() {
        held.withLock { held in
            for directory in held { try? directory.descriptor.unlock() }
            held = []
        }
    }
}
