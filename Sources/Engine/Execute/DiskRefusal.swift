// SPDX-License-Identifier: GPL-2.0-or-later
internal import Synchronization

/// A disk that has refused to write. Whoever meets it tells all lanes, and nothing more is tried.
final class DiskRefusal: Sendable {
    private let state = Atomic<Bool>(false)

    /// The disk has refused.
    var isSet: Bool { state.load(ordering: .acquiring) }

    /// Tells all.
    func set() { state.store(true, ordering: .releasing) }
}
