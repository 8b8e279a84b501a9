// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Qubes
import Testing
import Zstd

/// The ground floor's modules do not know each other: each says for itself which levels there are.
@Suite("Levels") struct LevelTests {
    @Test("What can be asked for, by request or by feature, is what can be packed")
    func areOneList() {
        #expect(CompressRequest.levels == FrameCompressor.levels)
        #expect(SettingsFeature.compressionLevels == FrameCompressor.levels)
    }
}
