// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Engine

@Suite struct FilesMemoTests {
    /// More sets of files than are remembered at a time, in any order.
    @Test func `What is remembered is of the very same files`() throws {
        var generator = SeededGenerator(seed: 7)
        var memo = FilesMemo<[Int]>()
        var (asked, extents) = (0, 0)
        for _ in 0..<300 {
            let survey = try SurveyCollectorTests.collected(SurveyCollectorTests.items(&generator))
            for extent in survey.extents {
                let files = survey.references(to: extent).map(\.file)
                let value = memo.value(of: extent, in: survey) {
                    asked += 1
                    return files
                }
                #expect(value == files)
                extents += 1
            }
        }
        // It does remember.
        #expect(asked < extents / 2)
    }
}
