// SPDX-License-Identifier: GPL-2.0-or-later
internal import CLibXML2

/// An element of an XML document, copied out of libxml2 so that nothing of its memory outlives the
/// parser.
struct XMLElement {
    let name: String
    let attributes: [String: String]
    /// The text directly in it.
    let text: String
    let children: [XMLElement]
    /// From 1.
    let line: Int
    /// It, or an attribute of it, is in a namespace: it is not what its name says.
    let hasNamespace: Bool

    /// The children of this name.
    func children(named name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// It and all that is in it, in order.
    var tree: [XMLElement] { [self] + children.flatMap(\.tree) }
}

extension XMLElement {
    /// Reads a document with libxml2: no network, no DTD, no external file, no entity but the five
    /// of XML and no message on stderr.
    static func parse(_ untrusted: [UInt8]) throws(InventoryError) -> XMLElement {
        guard untrusted.count <= InventoryLimits.fileBytes else {
            throw InventoryError(.tooLong, documentSubject)
        }
        guard
            untrusted.count(where: { $0 == UInt8(ascii: "<") }) <= InventoryLimits.markupCharacters
        else {
            let limit = InventoryLimits.markupCharacters
            throw InventoryError(.tooMany("'<'", limit: limit), documentSubject)
        }
        _ = libraryIsReady
        guard let context = unsafe xmlNewParserCtxt() else { throw outOfMemory }
        defer { unsafe xmlFreeParserCtxt(context) }
        var foundDocumentType = false
        let document = unsafe withUnsafeMutablePointer(to: &foundDocumentType) { found in
            unsafe context.pointee._private = UnsafeMutableRawPointer(found)
            unsafe context.pointee.sax?.pointee.internalSubset = refuseDocumentType
            defer { unsafe context.pointee._private = nil }
            return unsafe untrusted.withUnsafeBytes { bytes in
                unsafe xmlCtxtReadMemory(
                    context, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    Int32(bytes.count), nil, encoding, parserOptions)
            }
        }
        defer { unsafe xmlFreeDoc(document) }
        if foundDocumentType { throw InventoryError(.documentType, documentSubject) }
        guard unsafe context.pointee.wellFormed == 1, let document = unsafe document,
            let root = unsafe xmlDocGetRootElement(document)
        else { throw unsafe notWellFormed(context) }
        return unsafe try copy(root, depth: 1)
    }

    private static let documentSubject = "the document"

    private static var outOfMemory: InventoryError {
        InventoryError(.notWellFormed("libxml2 is out of memory"), documentSubject)
    }

    /// libxml2 wants this once, before threads; a static is made once, whoever comes first.
    private static let libraryIsReady: Void = xmlInitParser()

    /// XML_PARSE_NOENT, DTDLOAD, DTDATTR, XINCLUDE, RECOVER and HUGE stay off.
    private static let parserOptions = Int32(
        XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue
            | XML_PARSE_NOCDATA.rawValue | XML_PARSE_BIG_LINES.rawValue)

    /// What qubesd writes; whatever else the document says of itself is not followed.
    private static let encoding = "UTF-8"

    /// Called at `<!DOCTYPE`, before anything in it is read.
    private static let refuseDocumentType: internalSubsetSAXFunc = { context, _, _, _ in
        guard let context = unsafe context?.assumingMemoryBound(to: xmlParserCtxt.self) else {
            return
        }
        unsafe context.pointee._private?.assumingMemoryBound(to: Bool.self).pointee = true
        unsafe xmlStopParser(context)
    }

    private static func notWellFormed(_ context: xmlParserCtxtPtr) -> InventoryError {
        guard let last = unsafe xmlCtxtGetLastError(context) else {
            return InventoryError(.notWellFormed("it is empty"), documentSubject)
        }
        let message = unsafe last.pointee.message.map { unsafe String(cString: $0) } ?? ""
        return InventoryError(
            .notWellFormed(quoted(message.filter { $0 != "\n" }, limitBytes: 200)),
            documentSubject, line: unsafe Int(last.pointee.line))
    }

    private static func copy(
        _ node: xmlNodePtr, depth: Int
    ) throws(InventoryError) -> XMLElement {
        let name = unsafe string(node.pointee.name)
        let line = unsafe Int(xmlGetLineNo(node))
        let subject = "element \(quoted(name))"
        guard depth <= InventoryLimits.depth else {
            throw InventoryError(.tooDeep, subject, line: line)
        }
        // A namespace would give two things one name. One at the root is over all of them.
        let hasNamespace = unsafe node.pointee.ns != nil || node.pointee.nsDef != nil
        if hasNamespace, depth == 1 { throw InventoryError(.namespace, subject, line: line) }
        var text = ""
        var children: [XMLElement] = []
        var next = unsafe node.pointee.children
        while let child = unsafe next {
            switch unsafe child.pointee.type {
            case XML_ELEMENT_NODE: children.append(unsafe try copy(child, depth: depth + 1))
            case XML_TEXT_NODE, XML_CDATA_SECTION_NODE:
                text += unsafe string(child.pointee.content)
            default: break
            }
            unsafe next = child.pointee.next
        }
        let (attributes, isPlain) = unsafe attributes(of: node)
        if !isPlain, depth == 1 { throw InventoryError(.namespace, subject, line: line) }
        return XMLElement(
            name: name, attributes: attributes, text: text, children: children, line: line,
            hasNamespace: hasNamespace || !isPlain)
    }

    /// The attributes, and whether none has a namespace. libxml2 itself refuses a second one of a
    /// name.
    private static func attributes(of node: xmlNodePtr) -> ([String: String], isPlain: Bool) {
        var attributes: [String: String] = [:]
        var isPlain = true
        var next = unsafe node.pointee.properties
        while let attribute = unsafe next {
            if unsafe attribute.pointee.ns == nil {
                let value = unsafe xmlNodeListGetString(
                    node.pointee.doc, attribute.pointee.children, 1)
                attributes[unsafe string(attribute.pointee.name)] = unsafe string(value)
                if let value = unsafe value { unsafe clibxml2_free(value) }
            } else {
                isPlain = false
            }
            unsafe next = attribute.pointee.next
        }
        return (attributes, isPlain)
    }

    private static func string(_ pointer: UnsafePointer<xmlChar>?) -> String {
        unsafe pointer.map { unsafe String(cString: $0) } ?? ""
    }
}
