// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A part of an extent's content.
struct Segment: Hashable, Sendable {
    /// In the survey.
    let extent: Int
    let range: Range<ByteCount>

    var lengthBytes: ByteCount { range.upperBound - range.lowerBound }
}

/// A frame that was drawn.
struct FrameSample: Sendable {
    /// In the population.
    let stratum: Int
    /// Samples of one zone stand for its content together.
    let zone: Int
    /// What of the stratum's content it stands for, in bytes.
    let weightBytes: Double
    /// The content of the frame: of one extent, or unique parts of several.
    let segments: [Segment]
    /// 0 to 1, evenly spread: below a level's share it is packed at that level, too.
    var lot = 0.0
}

/// Draws frames. Pure but for the generator.
///
/// A stratum is cut into zones of equal content, neighbours in a zone, and two places are drawn in
/// each. A place stands for the frame it lies in, so that a frame is drawn in proportion to its
/// size. What lies close together is mostly alike: the two tell how much the zone varies.
struct FrameSampling {
    /// How many frames are drawn in all: one of so many, within these bounds.
    static let shareOfFrames = 24
    static let fewest = 256
    static let most = 6000
    /// The fewest of a stratum, where it has as many.
    static let fewestOfStratum = 4

    let survey: Survey
    let population: EstimatePopulation
    let frameContent: ByteCount

    /// The samples, by the address of their first extent.
    func draw(_ generator: inout some RandomNumberGenerator) -> [FrameSample] {
        let total = population.strata.reduce(0) { $0 + $1.totalBytes }
        guard total > 0 else { return [] }
        let frames = Int(total / frameContent.rawValue)
        let budget = min(max(frames / Self.shareOfFrames, Self.fewest), Self.most)
        var samples: [FrameSample] = []
        for (index, stratum) in population.strata.enumerated() {
            let share = Double(budget) * Double(stratum.totalBytes) / Double(total)
            let count = max(Int(share.rounded()), Self.fewestOfStratum)
            samples += draw(count, of: index, stratum, &generator)
        }
        samples.sort { key($0) < key($1) }
        // Steps of the golden ratio are the most even that there are, whatever share is taken.
        let start = Double.random(in: 0..<1, using: &generator)
        for index in samples.indices {
            let lot = start + Double(index) * 0.618_033_988_749_894_9
            samples[index].lot = lot - lot.rounded(.down)
        }
        return samples
    }

    private func key(_ sample: FrameSample) -> UInt64 {
        sample.segments.first.map { survey.extents[$0.extent].address.rawValue } ?? 0
    }

    private func draw(
        _ count: Int, of index: Int, _ stratum: EstimatePopulation.Stratum,
        _ generator: inout some RandomNumberGenerator
    ) -> [FrameSample] {
        if let all = allFrames(of: index, stratum, limit: count) { return all }
        let zones = max(count / 2, 1)
        var samples: [FrameSample] = []
        for zone in 0..<zones {
            let start = stratum.totalBytes / UInt64(zones) * UInt64(zone)
            let end =
                zone + 1 == zones
                ? stratum.totalBytes : stratum.totalBytes / UInt64(zones) * UInt64(zone + 1)
            for _ in 0..<2 {
                let place = UInt64.random(in: start..<max(end, start + 1), using: &generator)
                samples.append(
                    FrameSample(
                        stratum: index, zone: zone, weightBytes: Double(end - start) / 2,
                        segments: frame(at: place, of: stratum)))
            }
        }
        return samples
    }

    /// Every frame of a stratum, each a zone of its own; nil when there are more than `limit`.
    private func allFrames(
        of index: Int, _ stratum: EstimatePopulation.Stratum, limit: Int
    ) -> [FrameSample]? {
        guard stratum.totalBytes <= UInt64(limit) * frameContent.rawValue else { return nil }
        var samples: [FrameSample] = []
        var place: UInt64 = 0
        while place < stratum.totalBytes {
            let segments = frame(at: place, of: stratum)
            let length = segments.reduce(0) { $0 + $1.lengthBytes.rawValue }
            guard samples.count < limit, length > 0 else { return nil }
            samples.append(
                FrameSample(
                    stratum: index, zone: samples.count, weightBytes: Double(length),
                    segments: segments))
            place += length
        }
        return samples
    }

    /// The frame that a place in a stratum's content lies in.
    private func frame(
        at place: UInt64, of stratum: EstimatePopulation.Stratum
    ) -> [Segment] {
        if stratum.kind == .left { return leftovers(at: place, of: stratum) }
        let position = position(of: place, in: stratum)
        let member = stratum.members[position]
        let extent = survey.extents[member.extent]
        let used = survey.usedRanges(of: extent)
        var offset = place - (position == 0 ? 0 : stratum.ends[position - 1])
        for range in used {
            let length = range.upperBound.rawValue - range.lowerBound.rawValue
            if offset >= length {
                offset -= length
                continue
            }
            let inside = ByteCount(range.lowerBound.rawValue + offset)
            let start = max(inside.roundedDown(to: frameContent), range.lowerBound)
            let end = min(
                (inside + ByteCount(UInt64(1))).roundedUp(to: frameContent), range.upperBound)
            return [Segment(extent: member.extent, range: start..<end)]
        }
        return []
    }

    /// Leftovers share frames: each holds as many as fit, one behind the other.
    private func leftovers(
        at place: UInt64, of stratum: EstimatePopulation.Stratum
    ) -> [Segment] {
        var start = ByteCount(place).roundedDown(to: frameContent).rawValue
        let end = min(start + frameContent.rawValue, stratum.totalBytes)
        var position = position(of: start, in: stratum)
        var segments: [Segment] = []
        while start < end, position < stratum.members.count {
            let member = stratum.members[position]
            guard let range = member.range else { break }
            let before = position == 0 ? 0 : stratum.ends[position - 1]
            let length = min(stratum.ends[position], end) - start
            let first = range.lowerBound + ByteCount(start - before)
            segments.append(
                Segment(extent: member.extent, range: first..<(first + ByteCount(length))))
            start += length
            position += 1
        }
        return segments
    }

    /// The member that a place lies in.
    private func position(of place: UInt64, in stratum: EstimatePopulation.Stratum) -> Int {
        var low = 0
        var high = stratum.ends.count - 1
        while low < high {
            let middle = (low + high) / 2
            if stratum.ends[middle] <= place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
