// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage
internal import SystemCalls

extension Inventory {
    /// Reads a qubes.xml, `/var/lib/qubes/qubes.xml` as a rule. qubesd replaces the file as a
    /// whole, so that one open descriptor always gives one state of it.
    public static func read(path: FilePath) throws(InventoryError) -> Inventory {
        let subject = quoted(path.string, limitBytes: Names.nameBytes)
        let content: [UInt8]?
        do throws(Errno) {
            let file = try Descriptor.open(path, [.readOnly, .noFollow, .nonBlocking])
            guard try file.status().isRegularFile else { throw .invalidArgument }
            content = try file.readToEnd(limitBytes: InventoryLimits.fileBytes)
        } catch .invalidArgument {
            throw InventoryError(.notAFile, subject)
        } catch {
            throw InventoryError(.unreadable(error), subject)
        }
        guard let content else { throw InventoryError(.tooLong, subject) }
        return try parse(content)
    }

    /// Reads the content of a qubes.xml. One thing that is wrong refuses all of it.
    public static func parse(_ xml: [UInt8]) throws(InventoryError) -> Inventory {
        let root = try XMLElement.parse(xml)
        guard root.name == "qubes" else {
            throw InventoryError(
                .invalid(what: "root element", value: quoted(root.name)), "the document",
                line: root.line)
        }
        let pools = try InventoryReader.pools(root)
        let drivers = pools.reduce(into: [:]) { $0[$1.name] = $1.driver }
        return Inventory(
            pools: pools, qubes: try InventoryReader(driverOfPool: drivers).qubes(root))
    }
}

/// Turns the elements of qubes.xml into the model.
struct InventoryReader {
    private let driverOfPool: [String: String]

    init(driverOfPool: [String: String]) { self.driverOfPool = driverOfPool }

    static func pools(_ root: XMLElement) throws(InventoryError) -> [Pool] {
        let document = Subject(root, "element 'qubes'")
        let elements = try items(
            "pool", in: "pools", of: document, limit: InventoryLimits.pools, isRequired: true)
        var pools: [Pool] = []
        var known: Set<String> = []
        for element in elements {
            let subject = Subject(element, labelled: "pool", by: "name")
            let pool = try pool(subject)
            guard known.insert(pool.name).inserted else {
                throw document.error(.duplicate(subject.label))
            }
            pools.append(pool)
        }
        return pools
    }

    private static func pool(_ subject: Subject) throws(InventoryError) -> Pool {
        let name = try subject.attribute("name", where: Names.isPoolName)
        let driver = try subject.attribute("driver", where: { Names.isPlain($0) })
        let directory = try subject.optionalAttribute("dir_path") {
            Names.isAbsolutePath($0) || driver != Pool.imageDriver
        }
        guard directory != nil || driver != Pool.imageDriver else {
            throw subject.error(.missing("dir_path"))
        }
        return Pool(name: name, driver: driver, directory: directory)
    }

    func qubes(_ root: XMLElement) throws(InventoryError) -> [Qube] {
        let document = Subject(root, "element 'qubes'")
        let elements = try Self.items(
            "domain", in: "domains", of: document, limit: InventoryLimits.qubes, isRequired: true)
        var qubes: [Qube] = []
        var known: Set<String> = []
        for element in elements {
            let subject = Subject(element, labelled: "domain", by: "id")
            let qube = try qube(subject)
            guard known.insert(qube.name).inserted else {
                throw subject.error(.invalid(what: "another's name", value: quoted(qube.name)))
            }
            qubes.append(qube)
        }
        return qubes
    }

    private func qube(_ subject: Subject) throws(InventoryError) -> Qube {
        let kind = try subject.attribute("class", where: { Names.isPlain($0) })
        let properties = try named(
            "property", in: "properties", of: subject, limit: InventoryLimits.featuresPerQube)
        let name = try name(subject, kind: kind, properties: properties)
        let uuid = properties["uuid"]
        if let uuid, !Names.isUUID(uuid) {
            throw subject.error(.invalid(what: "uuid", value: quoted(uuid)))
        }
        // An empty reference is qubesd's way to write none.
        let template = properties["template"].flatMap { $0.isEmpty ? nil : $0 }
        if let template, !Names.isQubeName(template) {
            throw subject.error(.invalid(what: "template", value: quoted(template)))
        }
        return Qube(
            name: name, uuid: uuid, kind: kind, template: template,
            features: try named(
                "feature", in: "features", of: subject, limit: InventoryLimits.featuresPerQube),
            tags: Set(
                try named("tag", in: "tags", of: subject, limit: InventoryLimits.tagsPerQube).keys),
            volumes: try volumes(subject))
    }

    /// dom0 has no property of a name: it is the AdminVM, and its id is `domain-0`.
    private func name(
        _ subject: Subject, kind: String, properties: [String: String]
    ) throws(InventoryError) -> String {
        let identifier = try subject.attribute("id", where: { Names.isPlain($0) })
        if kind == Qube.adminKind || identifier == Qube.adminIdentifier {
            guard kind == Qube.adminKind else {
                throw subject.error(.invalid(what: "class", value: quoted(kind)))
            }
            guard identifier == Qube.adminIdentifier else {
                throw subject.error(.invalid(what: "id", value: quoted(identifier)))
            }
            return Qube.adminName
        }
        guard let name = properties["name"] else { throw subject.error(.missing("name")) }
        guard Names.isQubeName(name), name != Qube.adminName else {
            throw subject.error(.invalid(what: "name", value: quoted(name)))
        }
        return name
    }

    private func volumes(_ domain: Subject) throws(InventoryError) -> [Volume] {
        let elements = try Self.items(
            "volume", in: "volume-config", of: domain, limit: InventoryLimits.volumesPerQube)
        var volumes: [Volume] = []
        for element in elements {
            let subject = Subject(element, labelled: "volume", by: "name", of: domain.label)
            let volume = try volume(subject)
            guard !volumes.contains(where: { $0.name == volume.name }) else {
                throw domain.error(.duplicate("volume \(quoted(volume.name))"))
            }
            volumes.append(volume)
        }
        return volumes
    }

    /// Only the identifiers of image files are paths of ours, and held to that: a kernel volume has
    /// the kernel's version, or nothing where the qube brings its own kernel.
    private func volume(_ subject: Subject) throws(InventoryError) -> Volume {
        let name = try subject.attribute("name", where: { Names.isPlain($0) })
        let pool = try subject.attribute("pool", where: Names.isPoolName)
        guard let driver = driverOfPool[pool] else {
            throw subject.error(.invalid(what: "pool", value: quoted(pool)))
        }
        func isIdentifier(_ untrusted: String) -> Bool {
            driver == Pool.imageDriver
                ? Names.isPathBelow(untrusted)
                : untrusted.isEmpty
                    || Names.isPrintable(untrusted, limitBytes: Names.identifierBytes)
        }
        let identifier = try subject.attribute("vid", where: isIdentifier)
        let source = try subject.optionalAttribute("source", where: isIdentifier)
        let size = try subject.optionalAttribute("size") { decimal($0.utf8) != nil }
        return Volume(
            name: name, pool: pool, identifier: identifier,
            snapshotOnStart: try subject.flag("snap_on_start"),
            saveOnStop: try subject.flag("save_on_stop"),
            sizeBytes: size.flatMap { decimal($0.utf8) } ?? 0, source: source)
    }

    /// The texts of elements `<element name="...">text</element>` within a section, by name.
    private func named(
        _ element: String, in section: String, of domain: Subject, limit: Int
    ) throws(InventoryError) -> [String: String] {
        let elements = try Self.items(element, in: section, of: domain, limit: limit)
        var values: [String: String] = [:]
        for item in elements {
            let subject = Subject(item, labelled: element, by: "name", of: domain.label)
            let name = try subject.attribute("name", where: { Names.isPrintable($0) })
            guard values.updateValue(item.text, forKey: name) == nil else {
                throw domain.error(.duplicate("\(element) \(quoted(name))"))
            }
        }
        return values
    }

    /// The elements of a section. Neither a second section nor an element of another name is passed
    /// over: what is in it would be lost without a word.
    private static func items(
        _ name: String, in section: String, of parent: Subject, limit: Int,
        isRequired: Bool = false
    ) throws(InventoryError) -> [XMLElement] {
        let sections = parent.element.children(named: section)
        guard sections.count <= 1 else { throw parent.error(.duplicate(section)) }
        guard let only = sections.first else {
            if isRequired { throw parent.error(.missing(section)) }
            return []
        }
        for child in only.children where child.name != name {
            throw InventoryError(
                .invalid(what: "an element", value: quoted(child.name)),
                "\(section) of \(parent.label)", line: child.line)
        }
        guard only.children.count <= limit else {
            throw parent.error(.tooMany("elements in \(section)", limit: limit))
        }
        return only.children
    }
}
