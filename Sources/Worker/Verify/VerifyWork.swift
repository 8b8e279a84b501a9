// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// Compares images with the digests that were taken of them before. Changes nothing but what is
/// kept of them.
struct VerifyWork {
    let order: WorkerOrder
    let sites: Sites
    /// What is different is kept as it is now.
    let accepts: Bool
    let output: Output
    let governor: Governor

    func run() -> WorkerMessage {
        var result = JobResult(problems: sites.problems)
        var found = Found(accepts: accepts)
        let parts = sites.sites.map { site in
            SiteVerification(
                site: site, list: ImageList(site: site, order: order, includesSystem: false),
                order: order, output: output, governor: governor)
        }
        found.totalBytes = parts.reduce(0) { $0 + $1.sizeBytes }
        output.progress(.compare, totalBytes: found.totalBytes)
        for part in parts where !governor.isCancelled {
            result.problems += part.list.problems
            let errorsBefore = (try? part.site.fileSystem.deviceErrors()) ?? []
            part.run(&found, &result)
            let errorsAfter = (try? part.site.fileSystem.deviceErrors()) ?? []
            result.add(errorsOf: errorsAfter, since: errorsBefore)
        }
        result.verification = found.verification(order)
        result.problems = Array(result.problems.prefix(Limits.namedItems))
        result.elapsedSeconds = output.elapsedSeconds
        return governor.isCancelled ? .cancelled(result) : .result(result)
    }

    /// What was found so far, on all file systems.
    struct Found {
        let accepts: Bool
        var totalBytes: UInt64 = 0
        var doneBytes: UInt64 = 0
        var readBytes: UInt64 = 0
        /// By the volume's index in the order.
        var counts: [Int: Verification.Counts] = [:]
        var different: [Verification.Image] = []

        init(accepts: Bool) { self.accepts = accepts }

        /// As a message: the volumes by the names of their qubes.
        func verification(_ order: WorkerOrder) -> Verification {
            let volumes = order.volumes.indices.filter { order.volumes[$0].selected }.map {
                Verification.Volume(
                    qube: order.volumes[$0].qube, name: order.volumes[$0].name,
                    counts: counts[$0] ?? Verification.Counts())
            }
            return Verification(
                volumes: volumes.sorted { ($0.qube, $0.name) < ($1.qube, $1.name) },
                different: different, readBytes: readBytes, accepted: accepts ? true : nil
            ).fitting()
        }
    }
}

/// One file system's part of it.
struct SiteVerification {
    let site: Site
    let list: ImageList
    let order: WorkerOrder
    let output: Output
    let governor: Governor

    /// The images that were asked about, each file once with all its names.
    private var files: [[ListedImage]] {
        let selected = list.images.filter { order.volumes[$0.volume].selected }
        return Dictionary(grouping: selected, by: \.inode).values.sorted {
            (order.volumes[$0[0].volume].qube, $0[0].path)
                < (order.volumes[$1[0].volume].qube, $1[0].path)
        }
    }

    /// What there is to be compared, in bytes, holes included.
    var sizeBytes: UInt64 {
        files.filter { !$0.contains(where: \.isLeftOut) }.reduce(0) { $0 + $1[0].sizeBytes }
    }

    /// Looks at each image until the job is cancelled; what was found until then is kept.
    func run(_ found: inout VerifyWork.Found, _ result: inout JobResult) {
        governor.meanwhile { [site] in site.openImages.letGoOfDeleted() }
        // What is still in memory alone is not on the disk. A commit is a write: on damaged
        // metadata what cannot be compared counts as in use.
        if MetadataGuard(site: site).remembered == nil {
            do throws(BtrfsError) { try site.fileSystem.synchronize() } catch { Log.note([error]) }
        }
        var book = DigestBook(site)
        var unreadable: [Engine.UnreadablePlace] = []
        for names in files where !governor.isCancelled {
            guard let outcome = read(names, &found) else { break }
            var verdict = Verification.Verdict.inUse
            var takenAt: Int64?
            switch outcome {
            case .inUse: break
            case .unreadable(let place):
                verdict = .unreadable
                unreadable.append(place)
            case .read(let digest, let stamps, let identity):
                let now = KeptDigest(
                    identity: identity, stamps: stamps, digest: digest,
                    takenAt: site.clock.epochSeconds(), name: name(of: names[0]))
                (verdict, takenAt) = book.compare(now, accepts: found.accepts)
            }
            add(verdict, takenAt, names, to: &found)
            if names[0].isTooLarge { result.problems.append(tooLarge(names[0])) }
        }
        book.close(on: site)
        result.problems += book.problems(site)
        let places = UnreadableNames.named(unreadable, list, order)
        UnreadableBook(site: site, order: order).add(unreadable)
        result.add(unreadable: places)
        for place in places { Log.note(place.journalText) }
    }

    /// - Returns: nil where the job was cancelled meanwhile.
    private func read(
        _ names: [ListedImage], _ found: inout VerifyWork.Found
    ) -> ImageReading.Outcome? {
        if names.contains(where: \.isLeftOut) { return .inUse }
        let (before, total) = (found.doneBytes, found.totalBytes)
        var readBytes: UInt64 = 0
        // Of one that is given up on the way nothing is left to be done.
        defer {
            found.doneBytes = min(total, before + names[0].sizeBytes)
            found.readBytes += readBytes
        }
        let reading = ImageReading(
            store: LookingStore(base: BtrfsStore(site), governor: governor),
            now: site.clock.epochSeconds(), governor: governor
        ) { [output] done, read in
            readBytes = read
            output.progress(.compare, doneBytes: min(before + done, total), totalBytes: total)
        }
        do throws(BtrfsError) {
            return try reading.read(names[0].inode)
        } catch {
            return nil
        }
    }

    private func tooLarge(_ image: ListedImage) -> Report.Problem {
        let volume = order.volumes[image.volume]
        return Report.Problem(
            .image(qube: volume.qube, volume: volume.name, path: image.path),
            "it is larger than \(ImageReading.mostBytes >> 40) TiB, and was left out")
    }

    private func name(of image: ListedImage) -> UInt64 {
        KeptDigest.name(pool: order.volumes[image.volume].pool, path: image.path)
    }

    private func add(
        _ verdict: Verification.Verdict, _ takenAt: Int64?, _ names: [ListedImage],
        to found: inout VerifyWork.Found
    ) {
        for image in names {
            found.counts[image.volume, default: .init()].add(
                verdict, sizeBytes: image.sizeBytes, takenAt: takenAt)
            guard verdict == .different, let takenAt else { continue }
            let volume = order.volumes[image.volume]
            found.different.append(
                Verification.Image(
                    qube: volume.qube, volume: volume.name, image: image.path,
                    sizeBytes: image.sizeBytes, takenAt: takenAt))
            Log.note("DIFFERENT: \(volume.qube):\(volume.name), \(image.path)")
        }
    }
}

extension ListedImage {
    fileprivate var isTooLarge: Bool { sizeBytes > ImageReading.mostBytes }

    /// It is not read: somebody writes to it, or may go on to do so.
    fileprivate var isLeftOut: Bool { !role.isAtRest || isTooLarge }
}
