// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite struct SurveyDigestTests {
    static func digest(_ job: ModelJob) -> SurveyDigest {
        SurveyDigest(job.survey(), scope: job.scope)
    }

    @Test func `The same files and rules have the same digest`() {
        let first = Self.digest(ModelJob(store: ModelStore(ExecutorLawTests.doubled())))
        #expect(first == Self.digest(ModelJob(store: ModelStore(ExecutorLawTests.doubled()))))
    }

    @Test func `Whatever a plan looks at changes it`() throws {
        let start = ExecutorLawTests.doubled()
        var digests = [Self.digest(ModelJob(store: ModelStore(start)))]
        var written = start
        written.write(Content.sector(5), to: 1, at: 8192)
        digests.append(Self.digest(ModelJob(store: ModelStore(written))))
        var cloned = start
        cloned.make(9)
        cloned.clone(1, 0..<8192, to: 9, at: 0)
        digests.append(Self.digest(ModelJob(store: ModelStore(cloned))))
        var immutable = start
        immutable.files[ModelState.inode(2)]?.isImmutable = true
        digests.append(Self.digest(ModelJob(store: ModelStore(immutable))))
        var live = ModelJob(store: ModelStore(start))
        live.roles.live = [ModelState.inode(2)]
        digests.append(Self.digest(live))
        var owned = ModelJob(store: ModelStore(start))
        owned.volumes = [ModelJob.volume(), ModelJob.volume()]
        digests.append(Self.digest(owned))
        owned.owners = [ModelState.inode(2): [1]]
        digests.append(Self.digest(owned))
        for volume in [
            ModelJob.volume(selected: false), ModelJob.volume(skipped: true),
            ModelJob.volume(level: 9), ModelJob.volume(group: 1),
        ] {
            owned.volumes = [ModelJob.volume(), volume]
            digests.append(Self.digest(owned))
        }
        var running = ModelJob(store: ModelStore(start))
        running.includesLiveOnly = true
        digests.append(Self.digest(running))
        for level in [1, 3, -3] {
            var packing = ModelJob(store: ModelStore(start))
            packing.levelOfOthers = level
            digests.append(Self.digest(packing))
        }
        let moved = ModelJob(store: ModelStore(start))
        try moved.dedupe()
        digests.append(Self.digest(moved))
        #expect(Set(digests).count == digests.count)
    }
}
