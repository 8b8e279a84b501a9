// SPDX-License-Identifier: GPL-2.0-or-later
internal import Synchronization

/// A disk that has refused to write. Whoever meets it tells all lanes: nothing more is tried, and
/// what is half moved goes back, which writes no data.
final class DiskRefusal: Sendable {
    private let state = Atomic<Bool>(false)

    /// The disk has refused.
    var isSet: Bool { state.load(ordering: .acquiring) }

    /// Tells all.
    func set() { state.store(true, ordering: .releasing) }
}
