// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What trims of a qube have brought, by dom0's own reports of before and after. Each is a change:
/// it is below zero where the qube has written more meanwhile than it gave back.
struct TrimFigures: Encodable, Equatable, Sendable {
    /// What the live images hold less: this is what became holes.
    var emptiedBytes: Int64 = 0
    /// What came back on disk at once.
    var freedBytes: Int64 = 0
    /// What the live images no longer use, and other images of the same volumes still hold:
    /// revisions, and the state of before the qube's start. It comes back when these are gone.
    var heldBytes: Int64 = 0
    /// What the live images no longer use, and others go on to use: clones, for one.
    var sharedBytes: Int64 = 0

    init() {}

    /// By two reports of a qube.
    /// - Parameter volumes: those that were trimmed.
    init(from before: Report.Qube, to after: Report.Qube, volumes: Set<String>) {
        for name in volumes {
            guard let old = before.volumes.first(where: { $0.name == name }),
                let new = after.volumes.first(where: { $0.name == name })
            else { continue }
            let (oldLive, newLive) = (Self.live(old), Self.live(new))
            let left = Self.fall(oldLive.diskBytes, newLive.diskBytes)
            let disk = Self.fall(old.figures.diskBytes, new.figures.diskBytes)
            let freed = Self.fall(old.figures.exclusiveBytes, new.figures.exclusiveBytes)
            emptiedBytes &+= Self.fall(oldLive.dataBytes, newLive.dataBytes)
            freedBytes &+= freed
            heldBytes &+= left &- disk
            sharedBytes &+= disk &- freed
        }
    }

    /// Both together.
    static func + (one: TrimFigures, other: TrimFigures) -> TrimFigures {
        var sum = one
        sum.emptiedBytes &+= other.emptiedBytes
        sum.freedBytes &+= other.freedBytes
        sum.heldBytes &+= other.heldBytes
        sum.sharedBytes &+= other.sharedBytes
        return sum
    }

    /// The image that the qube writes to; the volume as a whole where a report has none.
    private static func live(_ volume: Report.Volume) -> Figures {
        volume.images.first { $0.role == "dirty" }?.figures ?? volume.figures
    }

    private static func fall(_ before: UInt64, _ after: UInt64) -> Int64 {
        Int64(clamping: before) - Int64(clamping: after)
    }
}

/// What became of a qube that was to be trimmed.
struct TrimRecord: Encodable, Sendable {
    /// One file system of it.
    struct Trim: Encodable, Sendable {
        let mountPoint: MountPoint
        /// `trimmed`, or why not.
        let outcome: String
        /// fstrim's, or that of whatever was in its place; the qube itself has said it.
        let exitStatus: Int32?
        /// Something may have been trimmed, whatever was answered.
        let reached: Bool

        private enum CodingKeys: String, CodingKey { case mountPoint, outcome, exitStatus }
    }

    /// Its name.
    let qube: String
    /// `trimmed`, or a word for why not.
    var outcome: String
    /// The same for people.
    var reason: String?
    /// It was started for this.
    var started = false
    /// It was shut down again; nil where it was not started.
    var halted: Bool?
    /// What was asked of it.
    var trims: [Trim] = []
    /// What that has brought, by dom0's count; nil where nothing was trimmed.
    var brought: TrimFigures?
}

/// What became of all of them.
struct TrimSum: Encodable, Sendable {
    /// How many were trimmed.
    var trimmedQubes = 0
    /// How many were to be trimmed and were not.
    var failedQubes = 0
    /// How many were left alone: they do not run, or have nothing that lasts.
    var skippedQubes = 0
    /// What all of them have brought.
    var brought = TrimFigures()
}
