// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What the disk did not give back, as text of 80 columns.
enum UnreadableLines {
    /// Of a job's result; nothing where the devices had no error.
    static func all(_ result: JobResult) -> [Line] {
        let places = result.unreadable ?? []
        let devices = (result.deviceErrors ?? []).flatMap {
            Line.wrapped(
                "\($0.device): \($0.text) while the job ran", after: "  ", indent: 4,
                style: .warning)
        }
        if places.isEmpty {
            if devices.isEmpty { return [] }
            return ["", Line("Errors of the disk:", .heading)] + devices + healed
        }
        let count = max(result.unreadableCount ?? 0, UInt64(places.count))
        return heading(count) + places.flatMap(lines) + rest(count - UInt64(places.count))
            + devices + advice
    }

    private static func heading(_ count: UInt64) -> [Line] {
        let places = count == 1 ? "1 place" : "\(ByteText.count(count)) places"
        return ["", Line("Unreadable on the disk (\(places)):", .warning)]
    }

    /// One place, and where the same content still lies.
    static func lines(_ place: UnreadablePlace) -> [Line] {
        let owner = place.qube.isEmpty ? "" : "\(place.qube):\(place.volume), "
        return Line.wrapped(
            "\(owner)\(place.image): \(ByteText.size(place.lengthBytes)) at byte"
                + " \(place.offsetBytes)", after: "  ", indent: 4, style: .warning)
            + (place.copies ?? []).flatMap {
                Line.wrapped("the same content lies in \($0)", after: "    ", indent: 6)
            }
    }

    private static func rest(_ count: UInt64) -> [Line] {
        count == 0 ? [] : [Line("  ... and \(ByteText.count(count)) more", .warning)]
    }

    private static let advice = Line.wrapped(
        "Nothing was pointed at what could not be read. Restore these places, from a backup or from"
            + " where the same content lies, and look after the disk: btrfs device stats, then"
            + " btrfs scrub start.", after: "  ", indent: 2)

    private static let healed = Line.wrapped(
        "The images are whole: what was bad on one device was mended from the other copy.",
        after: "  ", indent: 2)
}
