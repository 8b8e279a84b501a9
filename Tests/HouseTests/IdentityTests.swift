// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

/// Inode numbers mean something on one file system alone.
@Suite("Who says which inode a file is")
struct IdentityTests {
    private func files(that hold: String) throws -> [String] {
        try Checkout.files(under: "Sources", suffixes: [".swift"]).filter { file in
            try Checkout.lines(file).contains { line in
                line.contains(hold) && !line.drop { $0 == " " }.hasPrefix("//")
            }
        }
    }

    @Test("An inode is made of a tree's items, or of a folder that is known to be here")
    func inodes() throws {
        let makers = try files(that: "InodeIdentifier(")
        #expect(
            makers == [
                "Sources/Btrfs/ExtentReferences.swift", "Sources/Btrfs/FileTrees.swift",
                "Sources/Btrfs/Folder.swift",
                // From what was kept of this very file system, which bears its UUID.
                "Sources/Engine/Execute/MovePage.swift",
                "Sources/Engine/Survey/KeptSurvey.swift",
                "Sources/Worker/Account/UnreadableBook.swift",
                "Sources/Worker/Verify/KeptDigest.swift",
            ])
    }

    @Test("One function asks for the subvolume of an open file")
    func subvolumes() throws {
        #expect(try files(that: "btrfs_util_subvolume_id_fd(") == ["Sources/Btrfs/Folder.swift"])
    }
}
