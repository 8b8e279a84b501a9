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

    /// Reads the content of a qubes.xml. What in it cannot be read is left out and protected, and
    /// all others are read.
    /// - Throws: when it is no qubes.xml at all, or passes a bound.
    public static func parse(_ xml: [UInt8]) throws(InventoryError) -> Inventory {
        let root = try XMLElement.parse(xml)
        guard root.name == "qubes" else {
            throw InventoryError(
                .invalid(what: "root element", value: quoted(root.name)), "the document",
                line: root.line)
        }
        var reader = InventoryReader()
        try reader.readPools(root)
        try reader.readQubes(root)
        return Inventory(
            pools: reader.pools, qubes: reader.qubes, leftOut: reader.leftOut,
            protection: reader.protection)
    }
}

/// Turns the elements of qubes.xml into the model.
struct InventoryReader {
    private(set) var pools: [Pool] = []
    private(set) var qubes: [Qube] = []
    private(set) var leftOut: [LeftOut] = []
    private(set) var protection = Protection()
    private var driverOfPool: [String: String] = [:]
    /// The protected pools by the name that qubes.xml has for them.
    private var protectedPools: [String: [String]] = [:]

    // MARK: Pools

    mutating func readPools(_ root: XMLElement) throws(InventoryError) {
        let document = Subject(root, "element 'qubes'")
        let elements = try Self.section(
            "pools", of: document, limit: InventoryLimits.pools, isRequired: true)
        // Whichever of two that have one name is meant cannot be known.
        let names = Self.counts(elements.compactMap { $0.attributes["name"] })
        for element in elements {
            let subject = Subject(element, labelled: "pool", by: "name")
            do throws(InventoryError) {
                try subject.demand("pool", in: "pools")
                let pool = try Self.pool(subject)
                guard names[pool.name] == 1 else { throw subject.error(.duplicate("of its name")) }
                pools.append(pool)
                driverOfPool[pool.name] = pool.driver
            } catch {
                leftOut.append(LeftOut(kind: .pool, error: error))
                protect(pool: element)
            }
        }
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

    /// Nobody is to take the images of a pool that is left out for something else.
    private mutating func protect(pool element: XMLElement) {
        if let driver = element.attributes["driver"], driver != Pool.imageDriver { return }
        guard let directory = element.attributes["dir_path"], Names.isAbsolutePath(directory) else {
            protection.hasUnknownPlaces = true
            return
        }
        let given = element.attributes["name"] ?? ""
        let name = "left out:\(protection.pools.count):\(quoted(given))"
        protection.pools.append(
            Pool(name: name, driver: Pool.imageDriver, directory: directory))
        protectedPools[given, default: []].append(name)
    }

    // MARK: Qubes

    mutating func readQubes(_ root: XMLElement) throws(InventoryError) {
        let document = Subject(root, "element 'qubes'")
        let elements = try Self.section(
            "domains", of: document, limit: InventoryLimits.qubes, isRequired: true)
        let guesses = elements.map(Self.guessedName)
        let names = Self.counts(guesses.compactMap(\.self))
        for (element, guess) in zip(elements, guesses) {
            let subject = Subject(element, labelled: "domain", by: "id")
            do throws(InventoryError) {
                try subject.demand("domain", in: "domains")
                let (qube, volumesLeftOut) = try qube(subject)
                guard names[qube.name] == 1 else {
                    throw subject.error(.invalid(what: "another's name", value: quoted(qube.name)))
                }
                qubes.append(qube)
                for (volume, error) in volumesLeftOut {
                    leftOut.append(LeftOut(kind: .volume, qube: qube.name, error: error))
                    try protect(volume, owner: qube.name)
                }
            } catch {
                leftOut.append(LeftOut(kind: .qube, qube: guess, error: error))
                try protect(element, owner: guess ?? "left out: \(subject.label)")
            }
        }
    }

    /// The name of a qube, whatever else is wrong with it.
    private static func guessedName(_ domain: XMLElement) -> String? {
        if domain.attributes["class"] == Qube.adminKind,
            domain.attributes["id"] == Qube.adminIdentifier
        {
            return Qube.adminName
        }
        return domain.children(named: "properties").flatMap { $0.children(named: "property") }
            .first { $0.attributes["name"] == "name" }.map(\.text)
            .flatMap { Names.isQubeName($0) ? $0 : nil }
    }

    private func qube(
        _ subject: Subject
    ) throws(InventoryError) -> (Qube, leftOut: [(XMLElement, InventoryError)]) {
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
        let (volumes, leftOut) = try volumes(subject)
        let qube = Qube(
            name: name, uuid: uuid, kind: kind, template: template,
            features: try named(
                "feature", in: "features", of: subject, limit: InventoryLimits.featuresPerQube),
            tags: Set(
                try named("tag", in: "tags", of: subject, limit: InventoryLimits.tagsPerQube).keys),
            volumes: volumes)
        return (qube, leftOut)
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

    private func volumes(
        _ domain: Subject
    ) throws(InventoryError) -> ([Volume], leftOut: [(XMLElement, InventoryError)]) {
        let elements = try Self.section(
            "volume-config", of: domain, limit: InventoryLimits.volumesPerQube)
        let names = Self.counts(elements.compactMap { $0.attributes["name"] })
        var volumes: [Volume] = []
        var leftOut: [(XMLElement, InventoryError)] = []
        for element in elements {
            let subject = Subject(element, labelled: "volume", by: "name", of: domain.label)
            do throws(InventoryError) {
                try subject.demand("volume", in: "volume-config")
                let volume = try volume(subject)
                guard names[volume.name] == 1 else {
                    throw subject.error(.duplicate("of its name"))
                }
                volumes.append(volume)
            } catch {
                leftOut.append((element, error))
            }
        }
        return (volumes, leftOut)
    }

    /// Only the identifiers of image files are paths of ours, and held to that: a kernel volume has
    /// the kernel's version, or nothing where the qube brings its own kernel.
    private func volume(_ subject: Subject) throws(InventoryError) -> Volume {
        let name = try subject.attribute("name", where: { Names.isPlain($0) })
        let pool = try subject.attribute("pool", where: { _ in true })
        guard let driver = driverOfPool[pool] else {
            throw subject.error(.noSuchPool(quoted(pool)))
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

    // MARK: What is left out

    /// Protects whatever has a pool and an id in an element, by whichever names the elements go:
    /// what cannot be read is only known to own it.
    private mutating func protect(_ element: XMLElement, owner: String) throws(InventoryError) {
        for item in element.tree {
            let pool = item.attributes["pool"]
            guard pool != nil || item.attributes["vid"] != nil || item.name == "volume" else {
                continue
            }
            if let driver = pool.flatMap({ driverOfPool[$0] }), driver != Pool.imageDriver {
                continue
            }
            var places = pool.flatMap { protectedPools[$0] } ?? []
            if let pool, driverOfPool[pool] != nil { places.append(pool) }
            // A path that leaves its pool is never followed, not even to protect what is there.
            guard let identifier = item.attributes["vid"], Names.isPathBelow(identifier),
                !places.isEmpty
            else {
                protection.hasUnknownPlaces = true
                continue
            }
            for place in places {
                guard protection.volumes.count < InventoryLimits.protectedVolumes else {
                    let limit = InventoryLimits.protectedVolumes
                    throw InventoryError(
                        .tooMany("volumes of what cannot be read", limit: limit), "the document")
                }
                protection.volumes.append(
                    Protection.Volume(owner: owner, pool: place, identifier: identifier))
            }
        }
    }

    // MARK: Parts

    private static func counts(_ names: [String]) -> [String: Int] {
        names.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// The texts of elements `<element name="...">text</element>` within a section, by name.
    private func named(
        _ element: String, in section: String, of domain: Subject, limit: Int
    ) throws(InventoryError) -> [String: String] {
        var values: [String: String] = [:]
        for item in try Self.section(section, of: domain, limit: limit) {
            let subject = Subject(item, labelled: element, by: "name", of: domain.label)
            try subject.demand(element, in: section)
            let name = try subject.attribute("name", where: { Names.isPrintable($0) })
            guard values.updateValue(item.text, forKey: name) == nil else {
                throw domain.error(.duplicate("\(element) \(quoted(name))"))
            }
        }
        return values
    }

    /// The elements of a section. A second section is not passed over: what is in it would be lost
    /// without a word.
    private static func section(
        _ section: String, of parent: Subject, limit: Int, isRequired: Bool = false
    ) throws(InventoryError) -> [XMLElement] {
        let sections = parent.element.children(named: section)
        guard sections.count <= 1 else { throw parent.error(.duplicate(section)) }
        guard let only = sections.first else {
            if isRequired { throw parent.error(.missing(section)) }
            return []
        }
        guard !only.hasNamespace else { throw parent.error(.namespace) }
        guard only.children.count <= limit else {
            throw parent.error(.tooMany("elements in \(section)", limit: limit))
        }
        return only.children
    }
}
