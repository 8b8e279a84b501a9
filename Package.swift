// swift-tools-version: 6.2
// SPDX-License-Identifier: GPL-2.0-or-later
import PackageDescription

/// One array for every target of ours: what the compiler can check, it checks.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// Where the packages are that came with the source, for a build without a network; else they are
/// fetched.
let vendor = Context.environment["SWIFT_VENDOR"].flatMap { $0.isEmpty ? nil : $0 }

func dependency(_ name: String, _ version: Version) -> Package.Dependency {
    if let vendor { return .package(path: "\(vendor)/\(name)") }
    return .package(url: "https://github.com/apple/\(name)", exact: version)
}

let package = Package(
    name: "qubes-btrfs",
    products: [
        .executable(name: "qubes-btrfsd", targets: ["qubes-btrfsd"]),
        .executable(name: "qubes-btrfs-worker", targets: ["qubes-btrfs-worker"]),
        .executable(name: "qvm-btrfs", targets: ["qvm-btrfs"]),
    ],
    dependencies: [
        dependency("swift-system", "1.8.1"), dependency("swift-argument-parser", "1.8.2"),
    ],
    targets: [
        // C: constants the importer drops, and system libraries. Nothing else.
        .target(name: "CSystemCalls"),
        .target(name: "CBtrfs"),
        .target(name: "CChecksum", linkerSettings: [.linkedLibrary("gcrypt")]),
        .systemLibrary(
            name: "CBtrfsUtil", pkgConfig: "libbtrfsutil", providers: [.apt(["libbtrfsutil-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(
            name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),

        // The ground floor: each knows its own C target and nobody else of ours.
        library("SystemCalls", ["CSystemCalls", system]),
        library("Protocol", []),
        library("Btrfs", ["CBtrfs", "CBtrfsUtil", "SystemCalls", system]),
        library("Zstd", ["CZstd"]),
        library("Qubes", ["CLibXML2", "SystemCalls", system]),

        // The floors above, each importing only downwards (Tests/HouseTests says so).
        library("Engine", ["CChecksum", "Btrfs", "SystemCalls", system]),
        library("Worker", ["Engine", "Btrfs", "Zstd", "Qubes", "Protocol", "SystemCalls", system]),
        library("Service", ["Protocol", "Qubes", "SystemCalls", system]),
        library("Client", ["Protocol", "SystemCalls", system, argumentParser]),

        // A main each, no logic.
        program("qubes-btrfsd", ["Service", "Worker", "Client"]),
        program("qubes-btrfs-worker", ["Worker"]),
        program("qvm-btrfs", ["Client"]),

        // Not installed: what makes the manual and the completions, and its main.
        .target(
            name: "Manual", dependencies: ["Client", argumentParser], path: "man/Maker",
            swiftSettings: strict),
        .executableTarget(
            name: "make-manual", dependencies: ["Manual"], path: "man/Program",
            swiftSettings: strict),

        // Not installed: what `make bench-scale` runs.
        .executableTarget(
            name: "bench-scale", dependencies: ["Engine", "Worker", "SystemCalls", system],
            path: "Benchmarks/Scale", swiftSettings: strict),
        // Not installed: what `make bench-disk` makes its disk with.
        .executableTarget(
            name: "bench-disk-frames", dependencies: ["Btrfs", "Zstd", "SystemCalls", system],
            path: "Benchmarks/Disk", swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["SystemCalls", system],
            path: "Tests/TestSupport", swiftSettings: strict),
        tests("SystemCallsTests", ["SystemCalls", system]),
        tests("ProtocolTests", ["Protocol"]),
        tests("BtrfsTests", ["Btrfs", "CBtrfs"]),
        tests("ZstdTests", ["Zstd"]),
        tests("QubesTests", ["Qubes", "TestSupport", "SystemCalls", system]),
        tests("EngineTests", ["Engine", "Btrfs", "CChecksum", "SystemCalls", system]),
        tests("WorkerTests", ["Worker", "Engine", "Btrfs", "Protocol", "SystemCalls", system]),
        tests(
            "ServiceTests", ["Service", "TestSupport", "Protocol", "Qubes", "SystemCalls", system]),
        tests(
            "ClientTests",
            ["Client", "Protocol", "SystemCalls", system, argumentParser, "qvm-btrfs"]),
        tests(
            "IntegrationTests",
            [
                "Protocol", "TestSupport", "Btrfs", "Engine", "Worker", "Service", "Client",
                "SystemCalls", system, "qubes-btrfsd", "qubes-btrfs-worker", "qvm-btrfs",
            ]),
        tests(
            "HouseTests", ["Client", "Manual", "Protocol", "Qubes", "Zstd", "TestSupport"]),
    ]
)

// `make fuzz` alone asks for this: it needs every target built with the fuzzer's coverage.
if Context.environment["QUBES_BTRFS_FUZZ"] == "1" {
    package.targets += [
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "CChecksum", "Protocol", "Btrfs", "Qubes", "Engine", "Service", "Client",
                "SystemCalls", system,
            ],
            path: "Fuzzing/Targets", swiftSettings: strict)
    ]
}
