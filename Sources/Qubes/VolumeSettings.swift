// SPDX-License-Identifier: GPL-2.0-or-later

/// What features of a qube, and of dom0 as a default, say about a volume.
public struct VolumeSettings: Equatable, Sendable {
    /// By the feature `btrfs.compress`: a zstd level, 0 for off, nil where nothing is set.
    public let compressionLevel: Int?
    /// By the feature `btrfs.skip`: leave the qube out, with every extent it uses.
    public let skip: Bool
    /// Volumes with the same group may come to share data.
    public let dedupeGroup: String
    /// It lives from start to stop as a snapshot of another: what it holds is that one's, but for
    /// what its qube has written since.
    public let followsSource: Bool

    /// Makes settings.
    public init(
        compressionLevel: Int?, skip: Bool, dedupeGroup: String, followsSource: Bool = false
    ) {
        self.followsSource = followsSource
        self.compressionLevel = compressionLevel
        self.skip = skip
        self.dedupeGroup = dedupeGroup
    }
}
