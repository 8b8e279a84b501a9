// SPDX-License-Identifier: GPL-2.0-or-later

/// A piece of a page. It is made of elements and of texts, and every text and every value of an
/// attribute is made harmless here: there is no way around.
struct HTML: Sendable {
    /// The markup.
    let markup: String

    private init(markup: String) { self.markup = markup }

    /// Nothing.
    static let nothing = HTML(markup: "")

    /// Pieces one after the other.
    static func all(_ pieces: [HTML]) -> HTML {
        HTML(markup: pieces.map(\.markup).joined())
    }

    /// A text, whatever stands in it.
    static func text(_ text: String) -> HTML { HTML(markup: escaped(text)) }

    /// An element. `name` and the names of attributes are ours; one without a value is left out.
    static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:],
        _ content: [HTML] = []
    ) -> HTML {
        let list = attributes.map { key, value in
            value.map { " \(key)=\"\(escaped($0))\"" } ?? ""
        }.joined()
        let inner = content.map(\.markup).joined()
        return HTML(
            markup: voids.contains("\(name)")
                ? "<\(name)\(list)>" : "<\(name)\(list)>\(inner)</\(name)>")
    }

    /// An element with a text.
    static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:],
        _ text: String
    ) -> HTML {
        element(name, attributes, [.text(text)])
    }

    /// A style sheet of our own.
    static func style(_ sheet: StaticString) -> HTML {
        HTML(markup: "<style>\n\(sheet)</style>")
    }

    /// A whole page.
    static func page(_ content: [HTML]) -> String {
        "<!DOCTYPE html>\n" + element("html", ["lang": "en"], content).markup + "\n"
    }

    /// Elements that have no end.
    private static let voids: Set<String> = ["meta", "br"]

    private static func escaped(_ text: String) -> String {
        var safe = ""
        for character in text.sanitised.unicodeScalars {
            switch character {
            case "&": safe += "&amp;"
            case "<": safe += "&lt;"
            case ">": safe += "&gt;"
            case "\"": safe += "&quot;"
            case "'": safe += "&#39;"
            default: safe.unicodeScalars.append(character)
            }
        }
        return safe
    }
}
