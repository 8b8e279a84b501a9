// SPDX-License-Identifier: GPL-2.0-or-later

/// An element with what an error calls it.
struct Subject {
    let element: XMLElement
    /// As `volume 'root' of domain 'domain-2'`.
    let label: String

    init(_ element: XMLElement, _ label: String) {
        self.element = element
        self.label = label
    }

    /// Labelled by an attribute, as far as there is one.
    init(
        _ element: XMLElement, labelled kind: String, by attribute: String,
        of parent: String? = nil
    ) {
        let own = element.attributes[attribute].map { "\(kind) \(quoted($0))" } ?? kind
        self.init(element, parent.map { "\(own) of \($0)" } ?? own)
    }

    /// It is an element of this name, and of no namespace: another is not passed over, as what is
    /// in it would be lost without a word.
    func demand(_ name: String, in section: String) throws(InventoryError) {
        guard !element.hasNamespace else { throw error(.namespace) }
        guard element.name == name else {
            throw InventoryError(
                .invalid(what: "an element", value: quoted(element.name)),
                "\(section), at \(label)", line: element.line)
        }
    }

    func error(_ reason: InventoryError.Reason) -> InventoryError {
        InventoryError(reason, label, line: element.line)
    }

    /// An attribute that has to be there.
    func attribute(
        _ name: String, where isValid: (String) -> Bool
    ) throws(InventoryError) -> String {
        guard let value = try optionalAttribute(name, where: isValid) else {
            throw error(.missing(name))
        }
        return value
    }

    /// An attribute that may be missing, but not wrong.
    func optionalAttribute(
        _ name: String, where isValid: (String) -> Bool
    ) throws(InventoryError) -> String? {
        guard let value = element.attributes[name] else { return nil }
        guard isValid(value) else { throw error(.invalid(what: name, value: quoted(value))) }
        return value
    }

    /// `True` or `False`; missing is false, qubesd's own default.
    func flag(_ name: String) throws(InventoryError) -> Bool {
        switch element.attributes[name] {
        case "True": true
        case "False", nil: false
        case .some(let value): throw error(.invalid(what: name, value: quoted(value)))
        }
    }
}
