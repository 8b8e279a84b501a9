// SPDX-License-Identifier: GPL-2.0-or-later

/// A rectangle of a picture.
struct Rectangle: Equatable, Sendable {
    var x: Double
    var y: Double
    var width: Double
    var height: Double

    /// Smaller by so much on each side, and by more at the top.
    func inset(_ margin: Double, top: Double = 0) -> Rectangle {
        Rectangle(
            x: x + margin, y: y + margin + top, width: max(width - 2 * margin, 0),
            height: max(height - 2 * margin - top, 0))
    }
}

/// Fills a rectangle with smaller ones whose areas are in proportion to sizes, as square as it goes
/// (Bruls, Huizing and van Wijk, "Squarified treemaps").
enum Treemap {
    /// One rectangle for each size, in the same order. Sizes are not negative.
    static func layout(_ sizes: [Double], in frame: Rectangle) -> [Rectangle] {
        var places = [Rectangle](
            repeating: Rectangle(x: frame.x, y: frame.y, width: 0, height: 0), count: sizes.count)
        let total = sizes.reduce(0, +)
        guard total > 0, frame.width > 0, frame.height > 0 else { return places }
        let scale = frame.width * frame.height / total
        let order = sizes.indices.filter { sizes[$0] > 0 }.sorted {
            sizes[$0] != sizes[$1] ? sizes[$0] > sizes[$1] : $0 < $1
        }
        var free = frame
        var row: [Int] = []
        for index in order {
            let side = min(free.width, free.height)
            if !row.isEmpty
                && worst(row + [index], sizes, scale, side) > worst(row, sizes, scale, side)
            {
                free = put(row, sizes, scale, in: free, into: &places)
                row = []
            }
            row.append(index)
        }
        _ = put(row, sizes, scale, in: free, into: &places)
        return places
    }

    /// The longest shape in a row, as the proportion of its sides.
    private static func worst(
        _ row: [Int], _ sizes: [Double], _ scale: Double, _ side: Double
    ) -> Double {
        let areas = row.map { sizes[$0] * scale }
        let sum = areas.reduce(0, +)
        guard let largest = areas.max(), let smallest = areas.min(), smallest > 0, side > 0 else {
            return .infinity
        }
        return max(side * side * largest / (sum * sum), sum * sum / (side * side * smallest))
    }

    /// Puts a row along the shorter side.
    /// - Returns: what is left.
    private static func put(
        _ row: [Int], _ sizes: [Double], _ scale: Double, in free: Rectangle,
        into places: inout [Rectangle]
    ) -> Rectangle {
        let area = row.reduce(0) { $0 + sizes[$1] * scale }
        guard area > 0 else { return free }
        let isWide = free.width >= free.height
        let depth = area / (isWide ? free.height : free.width)
        var along = isWide ? free.y : free.x
        for index in row {
            let length = sizes[index] * scale / depth
            places[index] =
                isWide
                ? Rectangle(x: free.x, y: along, width: depth, height: length)
                : Rectangle(x: along, y: free.y, width: length, height: depth)
            along += length
        }
        var rest = free
        if isWide {
            rest.x += depth
            rest.width = max(rest.width - depth, 0)
        } else {
            rest.y += depth
            rest.height = max(rest.height - depth, 0)
        }
        return rest
    }
}
