// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage
internal import SystemCalls

extension Inventory {
    /// Reads a qubes.xml, `/var/lib/qubes/qubes.xml` as a rule. qubesd replaces the file as a whole,
    /// so that one open descriptor always gives one state of it.
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
        let elements =
            try section("pools", of: Subject(root, "element 'qubes'"))?
            .children(named: "pool") ?? []
        var pools: [Pool] = []
        var known: Set<String> = []
        for element in elements {
            let pool = try pool(Subject(element, labelled: "pool", by: "name"))
            guard known.insert(pool.name).inserted else {
                throw InventoryError(
                    .duplicate("pool \(quoted(pool.name))"), "element 'pools'", line: element.line)
            }
            pools.append(pool)
        }
        guard pools.count <= InventoryLimits.pools else {
            throw InventoryError(
                .tooMany("pools", limit: InventoryLimits.pools), "element 'pools'")
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
        let elements =
            try Self.section("domains", of: Subject(root, "element 'qubes'"))?
            .children(named: "domain") ?? []
        guard elements.count <= InventoryLimits.qubes else {
            throw InventoryError(
                .tooMany("qubes", limit: InventoryLimits.qubes), "element 'domains'")
        }
        var qubes: [Qube] = []
        var known: Set<String> = []
        for element in elements {
            let qube = try qube(Subject(element, labelled: "domain", by: "id"))
            guard known.insert(qube.name).inserted else {
                throw InventoryError(
                    .duplicate("qube \(quoted(qube.name))"), "element 'domains'",
                    line: element.line)
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
        let template = properties["template"]
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
        let elements =
            try Self.section("volume-config", of: domain)?.children(named: "volume") ?? []
        guard elements.count <= InventoryLimits.volumesPerQube else {
            throw domain.error(.tooMany("volumes", limit: InventoryLimits.volumesPerQube))
        }
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
        let elements = try Self.section(section, of: domain)?.children(named: element) ?? []
        guard elements.count <= limit else {
            throw domain.error(.tooMany(section, limit: limit))
        }
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

    /// The one child of this name: a second would hide what is in it.
    private static func section(
        _ name: String, of subject: Subject
    ) throws(InventoryError) -> XMLElement? {
        let sections = subject.element.children(named: name)
        guard sections.count <= 1 else { throw subject.error(.duplicate(name)) }
        return sections.first
    }
}
