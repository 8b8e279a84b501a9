// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What becomes of new data, as text of 80 columns.
enum NewDataLines {
    /// A sentence or two for each volume.
    /// - Parameter qube: its name, where there are several.
    static func all(_ reply: NewDataReply, of qube: String? = nil) -> [Line] {
        if reply.volumes.isEmpty {
            return [Line("\(qube ?? "The qube") has no images on a Btrfs pool.")]
        }
        let whose = qube.map { $0 + ":" } ?? ""
        return reply.volumes.flatMap { volume(whose + $0.name, $0.newData) }
    }

    /// For a report of qubes; nothing when the service says nothing.
    static func report(_ qube: Report.Qube) -> [Line] {
        let known = qube.volumes.compactMap { volume in volume.newData.map { (volume.name, $0) } }
        if known.isEmpty { return [] }
        return ["", Line("New data:", .heading)] + known.flatMap { volume($0, $1, margin: "  ") }
    }

    private static func volume(
        _ name: String, _ newData: NewData, margin: String = ""
    ) -> [Line] {
        var text = "\(name): "
        if let isCompressed = newData.isCompressed {
            text += isCompressed ? "compressed" : "not compressed"
            text += ", \(reason(newData.reason))"
            if isCompressed != newData.isCompressedLater {
                text +=
                    newData.isCompressedLater
                    ? "; images made later will be" : "; images made later will not be"
            }
        } else {
            text += "there is no image yet; what is written to the first one will "
            text += newData.isCompressedLater ? "be compressed" : "not be compressed"
        }
        if let property = newData.directoryProperty {
            text += " (the directory hands down: \(property))"
        }
        return Line.wrapped(
            text + ".", after: margin, indent: margin.count + 2,
            style: newData.isCompressed == false ? .warning : .plain)
    }

    private static func reason(_ reason: NewData.Reason) -> String {
        switch reason {
        case .mountForce: "as the file system is mounted with compress-force"
        case .mount: "as the file system is mounted with compress"
        case .flag: "as its flag c says"
        case .nothing: "as nothing asks for it"
        case .noCompressFlag: "as its flag m says"
        case .nocow: "as it is NOCOW (flag C)"
        case .directIO: "as its loop device writes past the page cache, on this kernel"
        case .unknown(let word): "for a reason that this release does not know: \(word)"
        }
    }
}
