// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@Suite("The programs that tests and scripts start")
struct ProgramTests {
    /// What every Debian has, by the package that has it.
    static let essential = [
        "bash": "bash", "bsdutils": "script",
        "coreutils": """
        base64 basename cat chmod chown cp cut date dd df dirname du env false head id install ln
        ls mkdir mkfifo mktemp mv nice od printf readlink realpath rm rmdir seq sha256sum sleep
        sort stat stty sync tail tee timeout touch tr true truncate uname uniq wc yes chroot
        """,
        "dash": "sh", "diffutils": "cmp diff", "dpkg": "dpkg-query dpkg-deb",
        "findutils": "find xargs",
        "grep": "grep", "gzip": "gzip", "mawk": "awk", "perl-base": "perl", "sed": "sed",
        "tar": "tar",
        "apt": "apt-cache apt-config apt-get", "libc-bin": "ldd",
        "util-linux": """
        fallocate findmnt flock fsfreeze fstrim ionice lsblk mountpoint setpriv setsid unshare
        """,
    ]
    /// What `scripts/install-packages` gets, by the package that has it.
    static let installed = [
        "binutils": "objdump readelf", "btrfs-compsize": "compsize",
        "btrfs-progs": "btrfs btrfs-convert mkfs.btrfs btrfstune btrfs-map-logical",
        "e2fsprogs": "chattr e2fsck e4defrag filefrag lsattr mke2fs resize2fs", "git": "git",
        "groff-base": "groff", "make": "make", "mandoc": "mandoc",
        "mount": "mount umount losetup", "systemd": "systemd-analyze",
        "dpkg-dev": "dpkg-buildpackage dpkg-parsechangelog", "rpm": "rpm rpmbuild", "man-db": "man",
        "duperemove": "duperemove", "fio": "fio", "mmdebstrap": "mmdebstrap",
        "python3": "python3", "time": "time", "busybox-static": "busybox",
        "qemu-system-x86": "qemu-system-x86_64", "xz-utils": "xz",
    ]
    /// What is no package's: the toolchain's, and our own.
    static let others: Set<String> = [
        "swift", "fuzz", "qvm-btrfs", "qubes-btrfsd", "qubes-btrfs-worker",
    ]

    static func packages(of program: String) -> [String] {
        essential.merging(installed) { "\($0) \($1)" }
            .filter { $0.value.split(whereSeparator: \.isWhitespace).contains(Substring(program)) }
            .map(\.key)
    }

    static func listed(_ set: String) throws -> Set<String> {
        Set(linesOf(try run(["scripts/install-packages", "--list", set]).output))
    }

    /// What tests start: by name, by path, and in what they give to a shell.
    static func ofTests() throws -> Set<String> {
        var programs: Set<String> = []
        let calls = #/Command\.(?:check|run)\(\s*\[?\s*"([^"\\]+)"/#
        let houseCalls = #/\brun\(\s*\[\s*"([^"\\]+)"/#
        let paths = #/(?:executable: |fileURLWithPath: )"(/(?:usr/)?s?bin/[^"]+)"/#
        let shells = #/"-c",\s*"((?:[^"\\]|\\.)*)"/#
        for file in Checkout.files(under: "Tests", suffixes: [".swift"]) {
            // What a test of the house gives this reader is no command.
            guard !file.hasSuffix("/ProgramTests.swift") else { continue }
            let text = try Checkout.text(file)
            var found = text.matches(of: calls)
            if file.contains("/HouseTests/") { found += text.matches(of: houseCalls) }
            for match in found where !match.output.1.hasPrefix("scripts/") {
                programs.insert(String(match.output.1))
            }
            for match in text.matches(of: paths) {
                programs.insert(String(match.output.1.split(separator: "/").last ?? ""))
            }
            for match in text.matches(of: shells) {
                // What Swift puts in is a variable to the shell.
                let script = match.output.1.replacing(#/\\\([^)]*\)/#, with: "$x")
                    .replacing("\\n", with: "\n").replacing("\\\"", with: "\"")
                programs.formUnion(shellPrograms(String(script)))
            }
        }
        return programs
    }

    /// What the recipes of the Makefile start.
    static func ofMakefile() throws -> Set<String> {
        let recipes = try Checkout.lines("Makefile").filter { $0.hasPrefix("\t") }.map {
            $0.drop { "\t@-".contains($0) }.replacing("$(INSTALL)", with: "install")
                .replacing("$(SWIFT)", with: "swift").replacing("$$", with: "$")
                .replacing(#/\$\([^)]*\)/#, with: "$x")
        }
        return shellPrograms(recipes.joined(separator: "\n"))
    }

    /// What a script of the shell starts.
    static func of(script: String) throws -> Set<String> {
        var text = try Checkout.text(script)
        // What it reads from another script is as its own.
        for match in text.matches(of: #/(?m)^\. (scripts/[a-z-]+)$/#) {
            text += "\n" + (try Checkout.text(String(match.output.1)))
        }
        return text.hasPrefix("#!/usr/bin/awk") ? ["awk"] : shellPrograms(text)
    }

    /// What the bench starts, which is in Python.
    static func ofBench() throws -> Set<String> {
        let calls = #/(?:\brun\(|Popen\(\[|\brun\(\[|[A-Z] = \[)"([a-z][a-z0-9.-]+)",/#
        return try Checkout.files(under: "Benchmarks", suffixes: [".py"]).reduce(into: []) {
            for match in try Checkout.text($1).matches(of: calls) { $0.insert(String(match.1)) }
        }
    }

    private func expect(_ programs: Set<String>, by packages: Set<String>, _ who: String) {
        for program in programs.subtracting(Self.others) {
            let owners = Self.packages(of: program)
            #expect(!owners.isEmpty, "\(who): which package has \(program)?")
            let isThere = owners.contains { Self.essential[$0] != nil || packages.contains($0) }
            #expect(owners.isEmpty || isThere, "\(who): \(program) needs one of \(owners)")
        }
    }

    @Test("Each that a test starts is in a package that is installed for it")
    func tests() throws {
        let programs = try Self.ofTests()
        #expect(programs.isSuperset(of: ["compsize", "mkfs.btrfs", "systemd-analyze", "setpriv"]))
        expect(programs, by: try Self.listed("tests"), "a test")
    }

    @Test("So is each that a script or the Makefile starts", arguments: TidyTests.scripts)
    func scripts(script: String) throws {
        let sets = [
            "bench": "bench", "bench-disk": "bench", "bench-pacing": "bench",
            "bench-guests": "bench", "bench-pieces": "bench", "bench-third": "bench",
            "bench-versions": "bench",
            "test-fresh": "fresh", "fresh-root": "fresh", "package": "package", "vendor": "package",
            "test-rpm": "package", "test-packages": "fresh", "test-kernels": "kernels",
            "kernel-guest": "kernels",
        ]
        var packages = try Self.listed(sets[String(script.split(separator: "/")[1])] ?? "tests")
        // It installs what it looks with.
        if script == "scripts/test-installed" { packages.insert("man-db") }
        expect(try Self.of(script: script), by: packages, script)
        if script == "scripts/test" { expect(try Self.ofMakefile(), by: packages, "Makefile") }
        if script == "scripts/bench" {
            let bench = try Self.ofBench()
            #expect(bench.isSuperset(of: ["fio", "duperemove"]))
            expect(bench, by: packages, "the bench")
        }
    }

    @Test("What runs before packages are installed needs none of them")
    func first() throws {
        for script in ["scripts/install-packages", ".ci/run"] {
            expect(try Self.of(script: script), by: [], script)
        }
    }

    @Test("Each program is in the package that is named for it, by dpkg's own word")
    func owners() throws {
        // Elsewhere nobody can be asked.
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/dpkg-query") else { return }
        var seen = 0
        for program in try Self.ofTests() {
            let named = Self.packages(of: program)
            guard !named.isEmpty else { continue }
            // A file of /usr/bin may be known as one of /bin; `mawk` and `awk` are one.
            let paths = ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"].map { $0 + program }
            let found = linesOf(try run(["dpkg-query", "--search"] + paths).output)
                .compactMap { line in
                    line.contains("no path found") || line.contains("diversion")
                        ? nil : line.prefix { $0 != ":" }
                }
            #expect(
                found.contains { named.contains(String($0)) } || program == "awk",
                "\(program): \(found), not \(named)")
            seen += 1
        }
        #expect(seen > 20)
    }

    @Test("A program that is missing makes a test fail: none is skipped for want of one")
    func notSkipped() throws {
        for file in Checkout.files(under: "Tests", suffixes: [".swift"]) {
            let text = try Checkout.text(file)
            #expect(!text.contains(#/is not "?"?installed"\)/#), "\(file)")
            #expect(!text.contains(#/enabled\(\s*if: [^)]*isExecutableFile/#), "\(file)")
        }
    }

    @Test(
        "First words of commands are found wherever the shell has commands",
        arguments: [
            ("a; b && c | d", "abcd"), ("x=1 a \"$(b 'c; d')\" # e", "ab"),
            ("if a; then b; else c; fi", "abc"), ("case $x in a | b) c ;; *) d ;; esac", "cd"),
            ("f() { a; }\nf <(b) >c 2>&1", "ab"), ("$a b; \"$c/d\" e; scripts/f", ""),
            ("x=(a b); for y in c d; do a \"${x[@]:+b}\"; done", "a"),
            ("(a) || ! /usr/bin/b", "ab"),
            ("a \\\n  b 'c\nd' \"e\nf\"\ng", "ag"), ("[ -n \"$x\" ] || x=$((1 + a))", ""),
        ])
    func reader(script: String, expected: String) {
        #expect(shellPrograms(script) == Set(expected.map(String.init)), "\(script)")
    }
}
