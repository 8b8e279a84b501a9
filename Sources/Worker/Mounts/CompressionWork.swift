// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// Has the kernel compress what is written to the pools' file systems from now on, by their mount
/// option and for as long as they are mounted, and takes that back. No image is opened, and no file
/// changed but the record of what to take back.
struct CompressionWork {
    /// Where the record is.
    let state: FilePath
    /// Told of each file system what became of it.
    let say: (String) -> Void

    /// Sets it on each file system of these that has no such option. What cannot be done on one
    /// does not keep others from it.
    /// - Returns: whether all went well. That a pool has none, or must not have it, is no failure.
    func setCompression(level: Int, _ sites: Sites) throws(CompressionRecord.Failure) -> Bool {
        for problem in sites.problems { say("\(problem.subject): left alone: \(problem.message)") }
        var record = try CompressionRecord.read(state)
        var isWell = true
        for site in sites.sites {
            let name = site.pools.map(\.pool.name).joined(separator: ", ")
            do throws(MountedFileSystem.Failure) {
                let outcome = try setCompression(
                    MountCompression.option(level: level), site, &record)
                say("\(name): \(outcome)")
            } catch {
                say("\(name): \(error)")
                isWell = false
            }
        }
        return isWell
    }

    /// - Returns: what became of it, for people.
    private func setCompression(
        _ option: String, _ site: Site, _ record: inout CompressionRecord
    ) throws(MountedFileSystem.Failure) -> String {
        guard let home = site.home else { throw .unreachable(point: site.point) }
        let mounted = try MountedFileSystem(holding: home.descriptor)
        let identity = site.fileSystem.identity.text
        if let outcome = left(mounted.options, option, record, identity) { return outcome }
        record.add(option, on: identity)
        do throws(CompressionRecord.Failure) {
            try record.write(state)
        } catch {
            throw .unrecorded("\(error)")
        }
        try mounted.setCompression(option)
        return "what is written is compressed from now on (\(option))"
    }

    /// Why nothing is set; nil where it is.
    private func left(
        _ options: [String], _ option: String, _ record: CompressionRecord, _ identity: String
    ) -> String? {
        switch MountCompression.standing(options) {
        case .plain: return nil
        case .hindered(let hindrance):
            return "left alone: it is mounted with \(hindrance)"
        case .compressed(let found):
            if !record.has(found, on: identity) {
                return "left alone: it is mounted with \(found), which does the same"
            }
            return found == option ? "what is written is compressed (\(found))" : nil
        }
    }

    /// Takes back what was set, where it is still in force: on all mounts that the kernel has,
    /// whatever became of the pools. Where somebody has set another option since, that one stays.
    /// - Returns: whether all went well.
    func takeBack() throws(CompressionRecord.Failure) -> Bool {
        var record = try CompressionRecord.read(state)
        var isWell = true
        for mount in Mount.all where mount.kind == "btrfs" && !record.entries.isEmpty {
            guard let mounted = try? MountedFileSystem(mount), let identity = mounted.identity,
                let index = record.entries.firstIndex(where: { $0.fileSystem == identity.text })
            else { continue }
            let entry = record.entries[index]
            do throws(MountedFileSystem.Failure) {
                if let found = MountCompression.option(mounted.options),
                    entry.options.contains(found)
                {
                    try mounted.setCompression(nil)
                    say("\(mounted.point): what is written is no longer compressed")
                } else {
                    say("\(mounted.point): left alone: what was set is not in force there any more")
                }
                record.entries.remove(at: index)
            } catch {
                say("\(mounted.point): \(error); 'mount -o remount,compress=no \(mounted.point)'")
                isWell = false
            }
        }
        // What is mounted nowhere any more has no options.
        if isWell { record.entries = [] }
        try record.write(state)
        return isWell
    }
}
