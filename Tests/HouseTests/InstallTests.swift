// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite("What is installed")
struct InstallTests {
    static let units = [
        "qubes-btrfs-compress.service", "qubes-btrfs-continue.service",
        "qubes-btrfs-follow.service", "qubes-btrfs-trim.service", "qubes-btrfs-weekly.service",
        "qubes-btrfs-weekly.timer", "qubes-btrfsd.service", "qubes-btrfsd.socket",
    ]

    /// What the client has wherever it is.
    static let clientFiles = [
        "usr/bin/qvm-btrfs", "usr/share/bash-completion/completions/qvm-btrfs",
        "usr/share/fish/vendor_completions.d/qvm-btrfs.fish",
        "usr/share/licenses/qubes-btrfs/LICENSE", "usr/share/man/man1/qvm-btrfs.1",
        "usr/share/man/man7/qubes-btrfs.7", "usr/share/zsh/site-functions/_qvm-btrfs",
    ]

    let manager = FileManager.default

    /// Every file and link below a folder, without the documents, whose number varies.
    func tree(_ folder: String) throws -> Set<String> {
        Set(
            try manager.subpathsOfDirectory(atPath: folder).filter {
                var isFolder: ObjCBool = false
                let exists = unsafe manager.fileExists(
                    atPath: "\(folder)/\($0)", isDirectory: &isFolder)
                return !(exists && isFolder.boolValue) && !$0.hasPrefix("usr/share/doc/")
            })
    }

    func make(_ arguments: [String]) throws {
        let result = try run(["make", "--silent"] + arguments)
        #expect(result.status == 0, "\(result.output)")
    }

    @Test("qubes-rpc has one entry for each service, a link to the socket that systemd opens")
    func entries() throws {
        let folder = Checkout.root.appendingPathComponent("qubes-rpc").path
        let names = try manager.contentsOfDirectory(atPath: folder)
        #expect(Set(names) == Set(ServiceName.allCases.map(\.rawValue)))
        let socket = try Checkout.text("systemd/qubes-btrfsd.socket")
        for name in names {
            let target = try manager.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
            // The link is read where it is installed.
            let path = URL(fileURLWithPath: "/etc/qubes-rpc/\(target)").standardized.path
            #expect(linesOf(socket).contains("ListenStream=\(path)"), "\(name)")
        }
    }

    @Test("In dom0: programs, entries, policy, units, pages, completions, and nothing else")
    func dom0() throws {
        let stage = try ScratchFolder()
        let programs = try ScratchFolder()
        try programs.write("#!/bin/sh\n", to: "qubes-btrfsd")
        try make(["install", "DESTDIR=\(stage.path)", "PROGRAMS=\(programs.path)"])
        let expected =
            ServiceName.allCases.map { "etc/qubes-rpc/\($0.rawValue)" }
            + ["80-btrfs.policy", "include/btrfs-ro", "include/btrfs-rwx"].map {
                "etc/qubes/policy.d/\($0)"
            }
            + Self.units.map { "usr/lib/systemd/system/\($0)" }
            + [
                "etc/logrotate.d/qubes-btrfs",
                "usr/lib/systemd/system-preset/75-qubes-btrfs.preset",
                "usr/libexec/qubes/qubes-btrfsd", "usr/libexec/qubes/qubes-btrfs-worker",
                "usr/share/man/man8/qubes-btrfsd.8",
            ] + Self.clientFiles
        #expect(try tree(stage.path) == Set(expected))
        // One file under three names.
        for link in ["usr/bin/qvm-btrfs", "usr/libexec/qubes/qubes-btrfs-worker"] {
            let path = URL(fileURLWithPath: "\(stage.path)/\(link)").resolvingSymlinksInPath()
            #expect(path.path.hasSuffix("usr/libexec/qubes/qubes-btrfsd"))
            #expect(manager.fileExists(atPath: path.path))
        }
        let policy = try manager.attributesOfItem(
            atPath: "\(stage.path)/etc/qubes/policy.d/80-btrfs.policy")
        #expect(policy[.posixPermissions] as? Int == 0o664)
    }

    @Test("In an admin qube: the client with its pages and completions alone")
    func adminQube() throws {
        let stage = try ScratchFolder()
        let programs = try ScratchFolder()
        try programs.write("#!/bin/sh\n", to: "qvm-btrfs")
        try make(["install-vm", "DESTDIR=\(stage.path)", "PROGRAMS=\(programs.path)"])
        #expect(try tree(stage.path) == Set(Self.clientFiles))
    }

    @Test("Every link of an installed document leads to a file that is installed")
    func documents() throws {
        let stage = try ScratchFolder()
        try make(["install-documents", "DESTDIR=\(stage.path)"])
        let folder = stage.path + "/usr/share/doc/qubes-btrfs"
        let documents = try manager.subpathsOfDirectory(atPath: folder).filter {
            $0.hasSuffix(".md")
        }
        #expect(documents.contains("README.md") && documents.contains("docs/client.md"))
        for document in documents {
            let text = try String(
                contentsOf: URL(fileURLWithPath: "\(folder)/\(document)"), encoding: .utf8)
            for link in try LinkTests.links(text) where !link.contains("://") {
                let path = link.prefix { $0 != "#" }
                if path.isEmpty { continue }
                let file = URL(fileURLWithPath: "\(folder)/\(document)")
                    .deletingLastPathComponent().appendingPathComponent(String(path))
                #expect(manager.fileExists(atPath: file.path), "\(document): \(link)")
            }
        }
    }

    @Test("Installing again keeps the lines of the administrator and replaces the policy itself")
    func again() throws {
        let stage = try ScratchFolder()
        try make(["install-files", "DESTDIR=\(stage.path)"])
        let folder = "etc/qubes/policy.d"
        let own = "mgmt @anyvm allow target=dom0\n"
        try stage.write(own, to: "\(folder)/include/btrfs-ro")
        try stage.write("", to: "\(folder)/80-btrfs.policy")
        try make(["install-files", "DESTDIR=\(stage.path)"])
        func text(_ name: String) throws -> String {
            try String(
                contentsOf: URL(fileURLWithPath: "\(stage.path)/\(folder)/\(name)"),
                encoding: .utf8)
        }
        #expect(try text("include/btrfs-ro") == own)
        #expect(try text("80-btrfs.policy") == Checkout.text("policy/80-btrfs.policy"))
    }

    @Test("make without a target lists the targets")
    func help() throws {
        let result = try run(["make", "--silent"])
        #expect(result.status == 0)
        for target in ["build", "install", "test", "demo", "format", "check", "packages"] {
            #expect(result.output.contains("  \(target) "), "\(target)")
        }
    }
}
