// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Finds the reference through which a place of an extent is best read: not one of a file that a
/// qube writes to, then the one that reaches furthest; of equals the first.
///
/// An extent with many references is put in order once, so that a million runs in an extent with a
/// million references take as many steps and not the product. Pure.
struct ReferenceFinder {
    /// Up to so many references are looked at one by one.
    static let fewReferences = 32

    private let survey: Survey
    /// Of the extents with many references that were asked for, by their index.
    private var rows: [Int: Row] = [:]

    init(_ survey: Survey) { self.survey = survey }

    /// nil where no file shows the place.
    mutating func best(
        ofExtent index: Int, showing position: ByteCount
    ) -> Survey.Reference? {
        let extent = survey.extents[index]
        guard extent.references.count > Self.fewReferences else {
            return survey.references(to: extent)
                .filter { $0.rangeInExtent.contains(position) }
                .max { isWorse($0, $1) }
        }
        if rows[index] == nil { rows[index] = Row(extent, survey) }
        return rows[index]?.best(showing: position, survey)
    }

    private func isWorse(_ left: Survey.Reference, _ right: Survey.Reference) -> Bool {
        let leftLive = survey.files[left.file].image.isLive
        let rightLive = survey.files[right.file].image.isLive
        if leftLive != rightLive { return leftLive }
        return left.rangeInExtent.upperBound < right.rangeInExtent.upperBound
    }

    /// The references to an extent, by where they start in it.
    private struct Row {
        private let quiet: Reaches
        private let live: Reaches

        init(_ extent: Survey.Extent, _ survey: Survey) {
            let isLive = { (reference: Int) in
                survey.files[survey.references[reference].file].image.isLive
            }
            quiet = Reaches(extent.references.filter { !isLive($0) }, survey)
            live = Reaches(extent.references.filter(isLive), survey)
        }

        func best(showing position: ByteCount, _ survey: Survey) -> Survey.Reference? {
            quiet.furthest(showing: position, survey) ?? live.furthest(showing: position, survey)
        }
    }

    /// For each start, which of the references that start there or before reaches furthest.
    private struct Reaches {
        private var starts: [UInt32] = []
        private var furthest: [UInt32] = []

        init(_ references: [Int], _ survey: Survey) {
            let sorted = references.sorted {
                let (left, right) = (survey.references[$0], survey.references[$1])
                return (left.offsetInExtent, $0) < (right.offsetInExtent, $1)
            }
            var best: Int?
            for reference in sorted {
                let range = survey.references[reference].rangeInExtent
                let last = best.map { survey.references[$0].rangeInExtent.upperBound } ?? .zero
                if range.upperBound > last
                    || (range.upperBound == last && reference < best ?? .max)
                {
                    best = reference
                }
                let start = UInt32(truncatingIfNeeded: range.lowerBound.rawValue)
                let reach = UInt32(best ?? reference)
                if starts.last == start {
                    furthest[furthest.count - 1] = reach
                } else {
                    starts.append(start)
                    furthest.append(reach)
                }
            }
        }

        func furthest(showing position: ByteCount, _ survey: Survey) -> Survey.Reference? {
            var low = 0
            var high = starts.count
            while low < high {
                let middle = (low + high) / 2
                if UInt64(starts[middle]) <= position.rawValue {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            guard low > 0 else { return nil }
            let reference = survey.references[Int(furthest[low - 1])]
            return reference.rangeInExtent.contains(position) ? reference : nil
        }
    }
}
