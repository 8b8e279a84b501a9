// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@testable import Client

/// Both packages are made from `make install`; what they list and need is what dom0 has.
@Suite("The packages")
struct PackageTests {
    @Test("One version is said everywhere")
    func version() throws {
        let version = linesOf(try Checkout.text("version"))[0]
        #expect(Release.version == version)
        #expect(try Checkout.text("debian/changelog").hasPrefix("qubes-btrfs (\(version)-"))
    }

    /// The files of a spec, its macros opened.
    private func files(of spec: String) throws -> [String] {
        let lines = try Checkout.lines(spec)
        let start = try #require(lines.firstIndex(of: "%files"))
        let macros = [
            "%{_bindir}": "/usr/bin", "%{_unitdir}": "/usr/lib/systemd/system",
            "%{_presetdir}": "/usr/lib/systemd/system-preset", "%{_mandir}": "/usr/share/man",
            "%{_datadir}": "/usr/share",
        ]
        return lines[(start + 1)...].prefix { !$0.hasPrefix("%changelog") }.compactMap { line in
            guard let path = line.split(separator: " ").last, path.contains("/") else { return nil }
            return macros.reduce(String(path)) { $0.replacing($1.key, with: $1.value) }
        }
    }

    /// A pattern of a spec stands for a file, or for the folder that it is in.
    private func matches(_ pattern: String, _ path: String) -> Bool {
        if path == pattern || path.hasPrefix(pattern + "/") { return true }
        guard let star = pattern.firstIndex(of: "*") else { return false }
        return path.hasPrefix(pattern[..<star])
            && path.hasSuffix(pattern[pattern.index(after: star)...])
    }

    @Test(
        "What a spec lists is what is installed, no more and no less",
        arguments: [
            ("rpm_spec/qubes-btrfs-dom0.spec.in", "install"),
            ("rpm_spec/qubes-btrfs.spec.in", "install-vm"),
        ])
    func lists(spec: String, target: String) throws {
        let (stage, programs) = (try ScratchFolder(), try ScratchFolder())
        for name in ["qvm-btrfs", "qubes-btrfsd"] { try programs.write("#!/bin/sh\n", to: name) }
        let made = try run([
            "make", "--silent", target, "DESTDIR=\(stage.path)", "PROGRAMS=\(programs.path)",
        ])
        #expect(made.status == 0, "\(made.output)")
        let found = try FileManager.default.subpathsOfDirectory(atPath: stage.path).filter {
            let path = "\(stage.path)/\($0)"
            let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
            var isFolder: ObjCBool = false
            _ = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            return isLink || !isFolder.boolValue
        }.map { "/" + $0 }
        let listed = try files(of: spec)
        for file in found {
            #expect(listed.contains { matches($0, file) }, "\(file) is in no package")
        }
        for pattern in listed {
            #expect(found.contains { matches(pattern, $0) }, "\(pattern) is installed by nobody")
        }
    }

    /// What Fedora 37 and 41, which dom0 of Qubes 4.2 and 4.3 is, and Debian 12 all have, by the
    /// names that they share.
    private static let client: Set<String> = [
        "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "ld-linux-x86-64.so.2",
    ]
    private static let dom0 = client.union([
        "libbtrfsutil.so.1", "libgcrypt.so.20", "libxml2.so.2", "libzstd.so.1",
    ])
    private static let release = Checkout.root.appendingPathComponent(".build/release").path

    /// The highest version of this library's symbols that a program asks for.
    private func highest(_ library: String, _ text: String) throws -> [Int] {
        let pattern = try Regex("\(library)_([0-9.]+)")
        return text.matches(of: pattern).compactMap { match in
            match.output[1].substring?.split(separator: ".").compactMap { Int($0) }
        }.max { $0.lexicographicallyPrecedes($1) } ?? []
    }

    @Test(
        "Only libraries that a minimal dom0 has, and nothing newer than its glibc",
        .enabled(
            if: FileManager.default.fileExists(atPath: release + "/qvm-btrfs"),
            "needs what make build makes"),
        arguments: ["qubes-btrfsd", "qvm-btrfs"])
    func libraries(program: String) throws {
        let path = "\(Self.release)/\(program)"
        let dynamic = try run(["readelf", "-d", path]).output
        // A program of root's loads nothing from where it happens to lie.
        #expect(!dynamic.contains("RUNPATH") && !dynamic.contains("RPATH"))
        let needed = dynamic.matches(of: #/\(NEEDED\).*\[(.+)\]/#).map { String($0.output.1) }
        #expect(!needed.isEmpty)
        let allowed = program == "qvm-btrfs" ? Self.client : Self.dom0
        #expect(Set(needed).subtracting(allowed).isEmpty)
        let symbols = try run(["objdump", "-T", path]).output
        #expect(try !highest("GLIBC", symbols).isEmpty)
        #expect(try ![2, 36].lexicographicallyPrecedes(highest("GLIBC", symbols)))
        // GCC 12, of Fedora 37 and Debian 12.
        #expect(try ![3, 4, 30].lexicographicallyPrecedes(highest("GLIBCXX", symbols)))
    }
}
