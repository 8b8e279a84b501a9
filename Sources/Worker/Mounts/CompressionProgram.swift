// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// `qubes-btrfs-worker mount-compression on|off`: what `qubes-btrfs-compress.service` starts. It
/// needs no daemon and no qubesd, as both may come later than it does.
struct CompressionProgram {
    /// Why nothing was done.
    enum Failure: Error, CustomStringConvertible {
        case usage
        case inventory(InventoryError)
        case feature(SettingsError)
        case record(CompressionRecord.Failure)

        var description: String {
            switch self {
            case .usage:
                "usage: qubes-btrfs-worker mount-compression on|off [--level N] [--qubes-xml PATH]"
                    + " [--state-file PATH]; N is \(MountCompression.levels.lowerBound) to"
                    + " \(MountCompression.levels.upperBound)"
            case .inventory(let error): "\(error). 'qvm-btrfs check' says what to do."
            case .feature(let error): "\(error)"
            case .record(let error): "\(error)"
            }
        }

        /// How the program ends.
        var exitStatus: Int32 { if case .usage = self { 2 } else { 1 } }
    }

    /// The word that it is known by.
    static let word = "mount-compression"

    private let turnsOn: Bool
    private var level: Int?
    private var qubesXML: FilePath = "/var/lib/qubes/qubes.xml"
    private var state: FilePath = "/run/qubes-btrfs/compress.json"

    /// Reads what stands behind the word.
    init(arguments: [String]) throws(Failure) {
        var left = arguments[...]
        switch left.popFirst() {
        case "on": turnsOn = true
        case "off": turnsOn = false
        default: throw .usage
        }
        while let option = left.popFirst() {
            guard let value = left.popFirst() else { throw .usage }
            switch option {
            case "--level":
                guard let number = Int(value), MountCompression.levels.contains(number) else {
                    throw .usage
                }
                level = number
            case "--qubes-xml": qubesXML = try Self.path(value)
            case "--state-file": state = try Self.path(value)
            default: throw .usage
            }
        }
    }

    private static func path(_ text: String) throws(Failure) -> FilePath {
        let path = FilePath(text)
        guard path.isAbsolute else { throw .usage }
        return path
    }

    /// - Returns: the exit status: 0 when all that could be done was done, 1 otherwise, 2 for wrong
    ///   usage.
    static func run(arguments: [String], _ clock: MachineClock) -> Int32 {
        do throws(Failure) {
            return try CompressionProgram(arguments: arguments).run(clock) ? 0 : 1
        } catch {
            Log.note("\(error)")
            return error.exitStatus
        }
    }

    private func run(_ clock: MachineClock) throws(Failure) -> Bool {
        let work = CompressionWork(state: state, say: Log.note)
        guard turnsOn else {
            do throws(CompressionRecord.Failure) {
                return try work.takeBack()
            } catch {
                throw .record(error)
            }
        }
        let inventory: Inventory
        do throws(InventoryError) {
            inventory = try Inventory.read(path: qubesXML)
        } catch {
            throw .inventory(error)
        }
        var wanted = MountCompression.usualLevel
        do throws(SettingsError) {
            if let level {
                wanted = level
            } else if let level = try inventory.newDataLevel() {
                wanted = level
            }
        } catch {
            throw .feature(error)
        }
        let sites = Sites(WorkerOrder(placesOf: inventory), clock: clock)
        if sites.sites.isEmpty && sites.problems.isEmpty {
            Log.note("no pool of this machine is on Btrfs: there is nothing to set")
        }
        do throws(CompressionRecord.Failure) {
            return try work.setCompression(level: wanted, sites)
        } catch {
            throw .record(error)
        }
    }
}

extension WorkerOrder {
    /// One that says where pools and volumes lie, and asks for nothing: so are pools found whose
    /// disk is not mounted.
    fileprivate init(placesOf inventory: Inventory) {
        let pools = inventory.imagePools.compactMap { pool in
            pool.directory.map { Pool(name: pool.name, directory: $0) }
        }
        let volumes = inventory.qubes.flatMap { qube in
            qube.volumes.map { volume in
                Volume(
                    qube: qube.name, qubeKind: qube.kind, name: volume.name, pool: volume.pool,
                    volumeIdentifier: volume.identifier, selected: false, skipped: false,
                    isVolatile: volume.isVolatile, compressionLevel: nil, dedupeGroup: "")
            }
        }
        self.init(work: .check, pools: pools, volumes: volumes, wholeMachine: true)
    }
}
