// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import Testing

@Suite struct ImageRoleTests {
    static let date = "2026-11-23T04:05:06Z"
    static let seconds: Int64 = 1_795_406_706

    func role(_ name: String, of base: String = "root", isVolatile: Bool = false) -> ImageRole? {
        ImageRole.of(fileName: name, volume: base, isVolatile: isVolatile)
    }

    @Test(arguments: [
        ("root.img", ImageRole.clean), ("root-dirty.img", .dirty),
        ("root-precache.img", .precache), ("root-import.img", .importing),
        ("root.img.1@\(date)", .revision(number: 1, createdAt: seconds)),
        (
            "root.img.18446744073709551615@\(date)",
            .revision(number: UInt64.max, createdAt: seconds)
        ),
    ])
    func `A name of the driver's gives its role`(name: String, expected: ImageRole) {
        #expect(role(name) == expected)
    }

    @Test(arguments: [
        "root.img~x", "root.img~a1b2_c3d", "root-dirty.img~abcdefgh", "root-precache.img~ABC",
        "root-import.img~0", "root.img.7@\(date)~abcdefgh",
        "root.img~" + String(repeating: "x", count: ImageRole.randomBytes),
    ])
    func `What is to become an image is temporary`(name: String) {
        #expect(role(name) == .temporary)
        #expect(role(name, isVolatile: true) == .temporary)
    }

    @Test func `The dirty image of a volatile volume is its only one, and live`() {
        #expect(role("volatile-dirty.img", of: "volatile", isVolatile: true) == .volatileImage)
        #expect(role("volatile-dirty.img", of: "volatile") == .dirty)
    }

    @Test func `Only dirty and volatile images are live`() {
        let roles: [ImageRole] = [
            .clean, .dirty, .precache, .revision(number: 1, createdAt: 0), .importing,
            .volatileImage, .temporary,
        ]
        #expect(roles.filter(\.isLive) == [.dirty, .volatileImage])
        #expect(
            roles.map(\.name) == [
                "clean", "dirty", "precache", "revision", "import", "volatile", "temporary",
            ])
    }

    @Test(arguments: [
        "", "root", "root.", "root.im", "root.imgx", "root.img ", "root.img\0", "Root.img",
        "oot.img",
        "xroot.img", "root-x.img", "root-x-dirty.img", "root-dirty.img.1@\(date)",
        "root--dirty.img",
        "root-dirty", "rootdirty.img", "root_dirty.img", "root-DIRTY.img", "../root.img",
        "./root.img", "a/root.img", "root.img/", "root.img~", "root.img~~", "root.img~a~b",
        "root.img~a.b", "root.img~a/b", "root.img~\u{e4}", "root~abc", "root-x.img~abc",
        "~root.img",
        "root.img~" + String(repeating: "x", count: ImageRole.randomBytes + 1),
        "root.img\u{301}", "roo\u{74}\u{301}.img", "root\u{fe0e}.img", "\u{202e}root.img",
        "root.img@\(date)", "root.img.@\(date)", "root.img.1", "root.img.1@", "root.img.01@\(date)",
        "root.img.+1@\(date)", "root.img.-1@\(date)", "root.img. 1@\(date)", "root.img.1.2@\(date)",
        "root.img.18446744073709551616@\(date)", "root.img.\u{661}@\(date)", "root.img.1@@\(date)",
        "root.img.1@\(date)x", "root.img.1@\(date).img", "root.img.1@x\(date)",
    ])
    func `Any other name is none of the volume's`(name: String) {
        #expect(role(name) == nil)
        #expect(role(name, isVolatile: true) == nil)
    }

    @Test func `A volume whose name begins with another's keeps its files`() {
        #expect(role("root-x.img", of: "root-x") == .clean)
        #expect(role("root-x-dirty.img", of: "root-x") == .dirty)
        #expect(role("root.img", of: "root-x") == nil)
        #expect(role("root-dirty.img", of: "root-dirty") == .clean)
    }

    @Test func `Names that look the same but differ in bytes are different`() {
        #expect(role("\u{e9}.img", of: "\u{e9}") == .clean)
        #expect(role("e\u{301}.img", of: "\u{e9}") == nil)
    }

    @Test func `A volume without a name has no files`() {
        #expect(role(".img", of: "") == nil)
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59Z", -1), ("1970-01-01T23:59:59Z", 86_399),
        ("2000-02-29T12:00:00Z", 951_825_600), ("2000-03-01T00:00:00Z", 951_868_800),
        ("2038-01-19T03:14:08Z", 2_147_483_648), ("2024-12-31T23:59:59Z", 1_735_689_599),
        ("2100-02-28T23:59:59Z", 4_107_542_399), ("2100-03-01T00:00:00Z", 4_107_542_400),
        ("9999-12-31T23:59:59Z", 253_402_300_799), ("0000-01-01T00:00:00Z", -62_167_219_200),
        ("0000-12-31T23:59:59Z", -62_135_596_801),
    ])
    func `A revision's time is counted from 1970`(date: String, seconds: Int64) {
        #expect(role("root.img.3@\(date)") == .revision(number: 3, createdAt: seconds))
    }

    @Test func `Each day is a day after the one before`() throws {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        var expected: Int64 = 946_684_800
        for year in 2000..<2009 {
            for (month, length) in lengths.enumerated() {
                let days = month == 1 && year % 4 == 0 ? length + 1 : length
                for day in 1...days {
                    let date = "\(year)-\(two(month + 1))-\(two(day))T00:00:00Z"
                    try #require(
                        role("root.img.1@\(date)") == .revision(number: 1, createdAt: expected))
                    expected += 86_400
                }
                #expect(role("root.img.1@\(year)-\(two(month + 1))-\(days + 1)T00:00:00Z") == nil)
            }
        }
    }

    @Test(arguments: [
        "2026-11-23T04:05:06", "2026-11-23T04:05:06z", "2026-11-23 04:05:06Z",
        "2026-11-23T4:05:06Z",
        "2026-1-23T04:05:06Z", "26-11-23T04:05:06Z", "2026-11-23T04:05Z", "2026-11-23T04:05:06.0Z",
        "2026-11-23T04:05:06+00:00", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-11-23T24:00:00Z",
        "2026-11-23T04:60:06Z", "2026-11-23T04:05:60Z", "-026-11-23T04:05:06Z",
        "+026-11-23T04:05:06Z", "2026/11/23T04:05:06Z", "2026-11-23T04-05-06Z", "", "Z",
        "202\u{661}-11-23T04:05:06Z",
    ])
    func `A date that is written otherwise, or that no calendar has, is none`(date: String) {
        #expect(role("root.img.1@\(date)") == nil)
    }
}
