// SPDX-License-Identifier: GPL-2.0-or-later

/// Remembers what follows from the files that show an extent: most are shown by the same ones as
/// one shortly before, and what is asked of each makes sets. Pure.
struct FilesMemo<Value> {
    /// The sets of files that are remembered at a time.
    private static var slots: Int { 64 }
    /// Of an extent with more references nothing is remembered.
    private static var mostReferences: Int { 16 }

    private struct Entry {
        let files: [Int]
        let value: Value
    }

    private var entries = [Entry?](repeating: nil, count: Self.slots)

    /// What `make` has said of an extent with the same files, or says of this one.
    /// - Parameter make: may go by the files alone.
    mutating func value(
        of extent: Survey.Extent, in survey: Survey, _ make: () -> Value
    ) -> Value {
        let references = survey.references(to: extent)
        guard references.count <= Self.mostReferences else { return make() }
        var hash: UInt = 0
        for reference in references { hash = hash &* 0x9e37_79b1 &+ UInt(reference.file) }
        let slot = Int((hash &* 0x9e37_79b9_7f4a_7c15) >> 58)
        if let entry = entries[slot], entry.files.elementsEqual(references.lazy.map(\.file)) {
            return entry.value
        }
        let value = make()
        entries[slot] = Entry(files: references.map(\.file), value: value)
        return value
    }
}
