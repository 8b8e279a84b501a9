// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol

/// Names the files that a job or report had to leave, of the qubes that were asked about only.
enum SurveyProblems {
    static func unreadable(
        _ survey: Survey, _ list: ImageList, _ order: WorkerOrder
    ) -> [Report.Problem] {
        survey.unreadable.compactMap { inode, error in
            guard let image = list.images.first(where: { $0.inode == inode }),
                order.volumes[image.volume].selected
            else { return nil }
            return problem(image, order, "its extents cannot be read (\(error.reason)); see dmesg")
        }
    }

    /// NOCOW images: they have no checksums, and what has none shares with nothing that has.
    static func nocow(_ list: ImageList, _ order: WorkerOrder) -> [Report.Problem] {
        list.images.filter { $0.hasNoChecksums && order.volumes[$0.volume].selected }.map {
            problem(
                $0, order,
                "it is NOCOW (chattr +C) and was left alone. A copy made with"
                    + " `cp --reflink=never` in a directory without +C can be worked on.")
        }
    }

    private static func problem(
        _ image: ListedImage, _ order: WorkerOrder, _ message: String
    ) -> Report.Problem {
        let volume = order.volumes[image.volume]
        return Report.Problem(
            .image(qube: volume.qube, volume: volume.name, path: image.path), message)
    }
}
