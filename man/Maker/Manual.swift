// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Client
import FoundationEssentials

/// The manual pages and the completions, made from what says it already: the parser of `qvm-btrfs`
/// and the documents.
public enum Manual {
    /// The day that pages bear: that of the release. CONTRIBUTING.md says when it changes.
    static let date = "2026-11-28"

    /// What stands at the foot of a page.
    static var source: String { "qubes-btrfs \(QvmBtrfs.configuration.version)" }

    /// Every page, by its path in the checkout.
    /// - Parameter document: what a file of the checkout holds.
    public static func pages(_ document: (String) throws -> String) throws -> [String: String] {
        let documents = Documents(
            readme: Markdown(try document("README.md")),
            client: Markdown(try document("docs/client.md")),
            service: Markdown(try document("docs/service.md")),
            architecture: Markdown(try document("docs/architecture.md")))
        return [
            "man/qvm-btrfs.1": try ClientPage(documents).text(),
            "man/qubes-btrfsd.8": try documents.servicePage(),
            "man/qubes-btrfs.7": try documents.overviewPage(),
        ]
    }
}

/// What the pages are made from.
struct Documents {
    let readme: Markdown
    let client: Markdown
    let service: Markdown
    let architecture: Markdown
}

/// Why there is no manual.
enum ManualError: Error, Equatable {
    /// A document has no such section any more.
    case noSection(String)
    /// The parser writes this no more.
    case noSuchText(String)
}
