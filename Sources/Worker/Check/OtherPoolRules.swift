// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// What is to be said of pools that no job works on.
enum OtherPoolRules {
    /// The driver that stands for another one, which qubes.xml does not name.
    private static let callbackDriver = "callback"

    private static let command =
        "qvm-pool add NEW file-reflink -o dir_path=DIRECTORY  # then, for each of its qubes:"
        + " qvm-clone -P NEW QUBE COPY"

    /// A finding for each that could be worked on if it had the right driver.
    /// - Parameter isOnBtrfs: whether a directory is.
    static func findings(
        _ pools: [WorkerOrder.OtherPool], isOnBtrfs: (String) -> Bool = isOnBtrfs
    ) -> [CheckReport.Finding] {
        pools.compactMap { pool in
            if let directory = pool.directory, isOnBtrfs(directory) {
                return CheckReport.Finding(
                    .warning, "pool.driver", about: .pools([pool.name]),
                    "it lies on Btrfs, but its driver is \(pool.driver): jobs work on pools of the"
                        + " driver file-reflink alone",
                    reason: "What its qubes hold is neither compressed nor shared, and no report"
                        + " counts it as theirs.", command: command)
            }
            guard pool.driver == callbackDriver else { return nil }
            return CheckReport.Finding(
                .note, "pool.driver", about: .pools([pool.name]),
                "its driver is callback: nobody can tell from qubes.xml where its images are, and"
                    + " jobs leave it alone",
                reason: "If they are on Btrfs, they are neither compressed nor shared.",
                command: command)
        }
    }

    private static func isOnBtrfs(_ path: String) -> Bool {
        guard let directory = try? Descriptor.open(FilePath(path), [.readOnly, .directory]) else {
            return false
        }
        return (try? FileSystem(directory: directory, path: path)) != nil
    }
}
