// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@testable import SystemCalls

/// The filter's lists against the kernel's own header, where there is one.
@Suite("The numbers that the filter of system calls knows")
struct CallFilterTests {
    private static let header = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"

    private static let numbers: [String: UInt32] = {
        let text = (try? String(contentsOfFile: header, encoding: .utf8)) ?? ""
        var numbers: [String: UInt32] = [:]
        for match in text.matches(of: #/#define __NR_(\w+) (\d+)/#) {
            numbers[String(match.output.1)] = UInt32(match.output.2)
        }
        return numbers
    }()

    @Test(
        "Each is what the header says, or newer than the header",
        .enabled(if: !numbers.isEmpty, "needs the kernel's header for x86_64"))
    func header() throws {
        let newest = try #require(Self.numbers.values.max())
        let opening = [
            "open": SystemCallNumber.open, "openat": SystemCallNumber.openat,
            "open_by_handle_at": SystemCallNumber.openByHandle, "ioctl": SystemCallNumber.ioctl,
        ]
        let lists = [
            opening, SystemCallNumber.hiddenNames, SystemCallNumber.refusedNames,
            SystemCallNumber.attributeNames,
        ]
        for (name, number) in lists.flatMap({ $0 }) {
            if let known = Self.numbers[name] {
                #expect(number == known, "\(name)")
            } else {
                #expect(number > newest, "\(name)")
            }
        }
        #expect(SystemCallNumber.newest >= newest)
    }

    @Test("Whatever the header has that works on a file by its name is in a list, or is known")
    func complete() {
        let changing = Self.numbers.keys.filter { name in
            ["rename", "link", "unlink", "mkdir", "rmdir", "mknod", "chmod", "chown", "utime"]
                .contains { name.contains($0) } && !name.hasPrefix("read")
        }
        for name in changing {
            #expect(SystemCallNumber.refusedNames[name] != nil, "\(name)")
        }
    }

    @Test("The program is short enough for the kernel, and no jump leads out of it")
    func program() {
        for attributes in [CallFilter.Attributes.none, .flagsAndProperties] {
            let program = CallProgram(changing: attributes).instructions
            #expect(program.count < 4096)
            for (place, instruction) in program.enumerated() where instruction.code & 7 == 5 {
                let furthest = max(instruction.ifTrue, instruction.ifFalse)
                #expect(place + 1 + Int(furthest) < program.count)
            }
        }
    }
}
