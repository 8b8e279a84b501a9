// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol

/// What jobs and estimates begin with: who refers to what on one file system.
struct SurveyStage {
    let site: Site
    let order: WorkerOrder
    let output: Output
    let governor: Governor

    /// Surveys the images, and adds to the result what was seen and what could not be.
    func run(
        _ catalog: some ExtentCatalog, _ result: inout JobResult
    ) throws(BtrfsError) -> (list: ImageList, survey: Survey) {
        let list = ImageList(site: site, order: order)
        let survey = try survey(list.imageFiles(), in: catalog) { done, total in
            output.progress(.survey, doneBytes: done.rawValue, totalBytes: total.rawValue)
        }
        try governor.checkpoint()
        result.problems += list.problems + SurveyProblems.unreadable(survey, list, order)
        result.problems += SurveyProblems.nocow(list, order)
        result.extentsSeen += UInt64(survey.extents.count)
        return (list, survey)
    }

    /// By what was kept, where there is a cache to keep it in.
    func survey(
        _ images: [ImageFile], in catalog: some ExtentCatalog,
        progress: (_ done: ByteCount, _ total: ByteCount) -> Void = { _, _ in }
    ) throws(BtrfsError) -> Survey {
        func read(_ memory: SurveyMemory?) throws(BtrfsError) -> Survey {
            try Surveyor.survey(
                images, in: catalog, spills: site.spills, memory: memory, progress: progress)
        }
        guard let cache = site.cache else { return try read(nil) }
        return try cache.surveys.keep(
            at: try? catalog.generation(), in: MetadataGuard(site: site).subvolumes, read)
    }
}

extension JobResult {
    /// Nothing was seen or done yet.
    init(problems: [Report.Problem], elapsedSeconds: Double = 0) {
        self.init(
            before: [], after: [], extentsSeen: 0, extentsReplaced: 0, referencesMoved: 0,
            predictedBytes: nil, leftAlone: [], problems: problems, elapsedSeconds: elapsedSeconds)
    }
}
