// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import FoundationXML
import Protocol
import Testing

@testable import Client

@Suite struct PageTests {
    /// A report in which every text that comes from elsewhere is hostile.
    private static var hostile: Report {
        let text = "<script src=\"http://evil.example/x.js\">'\"&\u{202e}"
        var report = SampleMachine.report
        for index in report.qubes.indices {
            report.qubes[index].name = text + "\(index)"
            report.qubes[index].kind = text
            report.qubes[index].template = text
            for volume in report.qubes[index].volumes.indices {
                report.qubes[index].volumes[volume].name = text
                report.qubes[index].volumes[volume].pool = text
                for image in report.qubes[index].volumes[volume].images.indices {
                    report.qubes[index].volumes[volume].images[image].path = text
                    report.qubes[index].volumes[volume].images[image].role = text
                    report.qubes[index].volumes[volume].images[image].flags = text
                }
            }
            for place in report.qubes[index].figures.storage.indices {
                report.qubes[index].figures.storage[place].kind = text
            }
            report.qubes[index].gains = [
                Gain(operation: text, bytes: 1 << 33, measuredAt: .max)
            ]
        }
        report.families = [QubeSet(name: text, qubes: [text + "0"], figures: report.total)]
        report.fileSystems[0].pools = [text]
        report.fileSystems[0].mountOptions = [text]
        report.fileSystems[0].metadataUsedBytes = report.fileSystems[0].metadataTotalBytes
        report.fileSystems[0].unallocatedBytes = 0
        report.problems = [.init(subject: text, message: text)]
        report.machine?.gains = [Gain(operation: text, bytes: 1, measuredAt: .min)]
        report.history?[0].operation = text
        return report
    }

    /// The page as XML, which is stricter than HTML: every element is closed, every attribute
    /// quoted, every `&` and `<` escaped.
    private static func parse(_ page: String) throws -> XMLDocument {
        let closed = page.replacing("<!DOCTYPE html>\n", with: "")
            .replacing(try Regex("<(meta|br)([^>]*)>")) { match in
                "<\(match.output[1].substring ?? "")\(match.output[2].substring ?? "")/>"
            }
        return try XMLDocument(xmlString: closed)
    }

    /// Every attribute of a name, anywhere.
    private static func values(of name: String, in document: XMLDocument) throws -> [String] {
        try document.nodes(forXPath: "//@\(name)").compactMap(\.stringValue)
    }

    @Test func thePageIsWellFormed() throws {
        for report in [SampleMachine.report, Self.hostile, Sample.report([])] {
            let page = Page.text(report)
            #expect(page.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset"))
            let document = try Self.parse(page)
            let identifiers = try Self.values(of: "id", in: document)
            #expect(Set(identifiers).count == identifiers.count)
            for reference in try Self.values(of: "href", in: document) {
                #expect(reference.hasPrefix("#"))
                #expect(identifiers.contains(String(reference.dropFirst())), "\(reference)")
            }
        }
    }

    @Test func nothingThatComesFromElsewhereIsMarkup() throws {
        let page = Page.text(Self.hostile)
        #expect(!page.contains("<script"))
        #expect(!page.contains("\u{202e}"))
        let escaped = "&lt;script src=&quot;http://evil.example/x.js&quot;&gt;&#39;&quot;&amp;"
        #expect(page.contains(escaped))
        let document = try Self.parse(page)
        #expect(try document.nodes(forXPath: "//script").isEmpty)
        // The names arrive whole: nothing was lost that a reader should see.
        let names = try document.nodes(forXPath: "//summary/b").compactMap(\.stringValue)
        #expect(names.contains { $0.hasPrefix("<script src=\"http://evil.example/x.js\">'\"&") })
    }

    @Test func nothingIsFetchedAndNothingRuns() throws {
        let page = Page.text(SampleMachine.report)
        for word in ["http:", "https:", "//", "@import", "javascript:", "<script", "<link", "<img"]
        {
            #expect(!page.contains(word), "\(word)")
        }
        let document = try Self.parse(page)
        for name in ["src", "srcset", "action", "data", "onload", "onclick"] {
            #expect(try Self.values(of: name, in: document).isEmpty, "\(name)")
        }
        // The only addresses are those of patterns on the page itself.
        for part in page.components(separatedBy: "url(").dropFirst() {
            #expect(part.hasPrefix("#stripes-"))
        }
        let policy = try document.nodes(
            forXPath: "//meta[@http-equiv='Content-Security-Policy']/@content")
        #expect(
            policy.compactMap(\.stringValue) == [
                "default-src 'none'; style-src 'unsafe-inline'"
            ])
    }

    @Test func everyQubeIsInThePictureTheTableAndTheDetails() throws {
        let report = SampleMachine.report
        let document = try Self.parse(Page.text(report))
        for qube in report.qubes {
            let links = try document.nodes(
                forXPath: "//svg[@class='wide']//a[@href='#qube-\(qube.name)']")
            #expect(links.count == 1, "\(qube.name)")
            let label = try Self.values(of: "aria-label", in: document)
            #expect(label.contains { $0.hasPrefix("\(qube.name): ") })
            #expect(
                try document.nodes(
                    forXPath: "//tbody/tr/th/a[@href='#qube-\(qube.name)']"
                ).count == 1)
            #expect(
                try document.nodes(forXPath: "//details[@id='qube-\(qube.name)']").count == 1)
        }
    }

    @Test func thePartsOfTheDiskAddUpToIt() {
        let report = SampleMachine.report
        func check(_ part: DiskPart) {
            guard !part.parts.isEmpty else { return }
            #expect(part.parts.reduce(0) { $0 + $1.bytes } == part.bytes, "\(part.name)")
            part.parts.forEach(check)
        }
        let parts = DiskPart.all(report)
        parts.forEach(check)
        #expect(
            parts.reduce(0) { $0 + $1.bytes } == report.machine?.everything.diskBytes)
    }

    @Test func rectanglesHaveTheirShareAndDoNotOverlap() {
        let frame = Rectangle(x: 3, y: 5, width: 400, height: 250)
        let sizes = [5.0, 0, 60, 3, 3, 200, 41, 7, 0.5]
        let places = Treemap.layout(sizes, in: frame)
        let scale = frame.width * frame.height / sizes.reduce(0, +)
        for (index, (size, place)) in zip(sizes, places).enumerated() {
            #expect(abs(place.width * place.height - size * scale) < 0.001)
            #expect(place.x >= frame.x - 0.001 && place.y >= frame.y - 0.001)
            #expect(place.x + place.width <= frame.x + frame.width + 0.001)
            #expect(place.y + place.height <= frame.y + frame.height + 0.001)
            for other in places[(index + 1)...] where size > 0 && other.width > 0 {
                let isApart =
                    place.x + place.width <= other.x + 0.001
                    || other.x + other.width <= place.x + 0.001
                    || place.y + place.height <= other.y + 0.001
                    || other.y + other.height <= place.y + 0.001
                #expect(isApart)
            }
        }
    }

    /// `PAGE_FILE=page.html swift test --filter PageTests` leaves the sample to be looked at.
    @Test func thePageNamesWhatToActOn() throws {
        let page = Page.text(SampleMachine.report)
        for name in ["personal", "work", "windows-11"] {
            #expect(page.contains("<h3><a href=\"#qube-\(name)\">"), "\(name)")
        }
        #expect(page.contains("qvm-btrfs compress personal"))
        if let path = ProcessInfo.processInfo.environment["PAGE_FILE"] {
            try Data(page.utf8).write(to: URL(fileURLWithPath: path))
        }
    }
}
