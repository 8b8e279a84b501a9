// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

/// A folder laid out as one of the kernel's.
final class KernelFolder {
    let path: FilePath

    init(_ files: [String: String]) throws {
        path = FilePath("/tmp/qubes-btrfs-sensors-\(UInt64.random(in: 0...UInt64.max))")
        try add(files)
    }

    func add(_ files: [String: String]) throws {
        for (name, text) in files {
            let file = path.appending(name)
            try FileManager.default.createDirectory(
                atPath: file.removingLastComponent().string, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(filePath: file.string))
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path.string) }
}

@Suite struct SensorTests {
    private func pressure(_ microseconds: Int) -> String {
        "some avg10=1.00 avg60=2.00 avg300=3.00 total=\(microseconds)\n"
            + "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
    }

    private func folder(own: String) throws -> KernelFolder {
        let folder = try KernelFolder([
            "groups/cgroup.controllers": "io\n",
            "groups/io.pressure": pressure(99_000_000),
            "groups/user.slice/io.pressure": pressure(1_000_000),
            "groups/user.slice/deep/io.pressure": pressure(50_000_000),
            "groups/system.slice/io.pressure": pressure(70_000_000),
            "groups/system.slice/qubesd.service/io.pressure": pressure(2_000_000),
            "groups/system.slice/cgroup.procs": "1\n",
            "groups/system.slice/ours.service/io.pressure": pressure(30_000_000),
            "groups/system.slice/ours.service/child/io.pressure": pressure(20_000_000),
            "own": "1:name=systemd:/x\n0::\(own)\n",
            "images/appvms/work/private.img": "",
            "other/disk.img": "",
            "block/loop0/stat": " 1 2 3 4 5 6 7 8 0 10 3000 0 0 0 0 0 0\n",
            "block/loop1/stat": " 1 2 3 4 5 6 7 8 0 10 9000 0 0 0 0 0 0\n",
            "block/sda/stat": " 1 2 3 4 5 6 7 8 0 10 9000 0 0 0 0 0 0\n",
        ])
        try folder.add([
            "block/loop0/loop/backing_file": "\(folder.path)/images/appvms/work/private.img\n",
            "block/loop1/loop/backing_file": "\(folder.path)/other/disk.img\n",
        ])
        return folder
    }

    private func waited(_ folder: KernelFolder, images: String) -> Double? {
        neighbours(folder, images: images).waitedSeconds()
    }

    private func neighbours(_ folder: KernelFolder, images: String) -> Neighbours {
        Neighbours(
            groups: folder.path.appending("groups"), blocks: folder.path.appending("block"),
            ownGroups: folder.path.appending("own"),
            imageFolders: Set(
                [try? Descriptor.status(of: folder.path.appending(images)).identity]
                    .compactMap { $0 })
        )
    }

    @Test func theWaitingOfAllGroupsBesideOursCountsAndOursDoesNot() throws {
        let folder = try folder(own: "/system.slice/ours.service")
        #expect(waited(folder, images: "none") == 3)
    }

    @Test func inTheRootEveryGroupIsAnother() throws {
        let folder = try folder(own: "/")
        #expect(waited(folder, images: "none") == 71)
    }

    @Test func whatQubesWaitForInTheirLoopDevicesCounts() throws {
        let folder = try folder(own: "/system.slice/ours.service")
        #expect(waited(folder, images: "images") == 6)
        #expect(waited(folder, images: "groups") == 3)
    }

    /// A device is used for one file after the other.
    @Test func whatIsBehindALoopDeviceIsAskedForWithEachLook() throws {
        let folder = try folder(own: "/system.slice/ours.service")
        let neighbours = neighbours(folder, images: "images")
        let place = "block/loop0/loop/backing_file"
        #expect(neighbours.waitedSeconds() == 6)
        try folder.add([place: "\(folder.path)/other/disk.img\n"])
        #expect(neighbours.waitedSeconds() == 3)
        try folder.add([place: "\(folder.path)/images/appvms/work/private.img\n"])
        #expect(neighbours.waitedSeconds() == 6)
    }

    @Test func aPoolThatIsReachedByALinkIsTheSamePool() throws {
        let folder = try folder(own: "/system.slice/ours.service")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path.appending("link").string, withDestinationPath: "images")
        #expect(waited(folder, images: "link") == 6)
    }

    @Test func loopDevicesAreFoundBehindHundredsOfOthers() throws {
        let folder = try folder(own: "/system.slice/ours.service")
        for number in 0..<Neighbours.limit { try folder.add(["block/dm-\(number)/stat": "0"]) }
        #expect(waited(folder, images: "images") == 6)
    }

    @Test func aKernelThatCountsNothingIsNotTakenForAnIdleMachine() throws {
        let folder = try KernelFolder([
            "own": "0::/x\n", "groups/cgroup.procs": "", "groups/cgroup.controllers": "",
        ])
        #expect(waited(folder, images: "images") == nil)
        let hybrid = try KernelFolder([
            "own": "0::/\n", "groups/unified/io.pressure": pressure(5),
            "groups/unified/cgroup.controllers": "",
        ])
        #expect(waited(hybrid, images: "images") == nil)
        let old = try KernelFolder(["own": "1:cpu:/x\n"])
        #expect(waited(old, images: "images") == nil)
    }

    @Test(arguments: ["", "some", "some total=x", "full avg10=0.00 total=5", "\0"])
    func whatIsNotTheKernelsFormatIsNothing(text: String) {
        #expect(Neighbours.someSeconds(text) == nil)
        #expect(Neighbours.requestSeconds(text) == nil)
        #expect(Neighbours.unifiedGroup(text) == nil)
    }

    @Test func aLaptopWithoutMainsRunsOnBattery() throws {
        let folder = try KernelFolder([
            "AC/type": "Mains\n", "AC/online": "0\n", "BAT0/type": "Battery\n",
            "BAT0/status": "Discharging\n", "mouse/type": "Battery\n", "mouse/scope": "Device\n",
            "mouse/status": "Discharging\n",
        ])
        #expect(PowerSupply.isOnBattery(PowerSupply.all(in: folder.path)))
        #expect(PowerSupply.all(in: "/nonexistent").isEmpty)
    }

    @Test func otherMachinesDoNot() {
        let battery = PowerSupply(type: "Battery", status: "Discharging")
        let mouse = PowerSupply(type: "Battery", status: "Discharging", scope: "Device")
        #expect(PowerSupply.isOnBattery([battery]))
        #expect(!PowerSupply.isOnBattery([]))
        #expect(!PowerSupply.isOnBattery([mouse]))
        #expect(!PowerSupply.isOnBattery([PowerSupply(type: "Battery", status: "Full")]))
        // Mains that give power while the battery is drained all the same: a weak charger.
        let mains = PowerSupply(type: "Mains", isOnline: true)
        #expect(!PowerSupply.isOnBattery([battery, mains]))
        #expect(PowerSupply.isOnBattery([battery, PowerSupply(type: "Mains")]))
        // A port that gives power, and yet less than the machine needs.
        let port = PowerSupply(type: "USB", isOnline: true)
        #expect(PowerSupply.isOnBattery([battery, port]))
        #expect(!PowerSupply.isOnBattery([PowerSupply(type: "Battery", status: "Charging"), port]))
    }

    @Test func optionsOfTheWorkerAreReadStrictly() throws {
        let places = try WorkerPlaces(arguments: [
            "--cache-directory", "/a", "--power-supplies", "/b", "--control-groups", "/c",
        ])
        #expect(places.cacheDirectory == "/a")
        #expect(places.powerSupplies == "/b")
        #expect(places.controlGroups == "/c")
        for wrong in [["--cache-directory"], ["--other", "/a"], ["/a"], ["--power-supplies", ""]] {
            #expect(throws: Failure.self) { try WorkerPlaces(arguments: wrong) }
        }
    }
}
