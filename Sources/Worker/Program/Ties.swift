// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// What the worker forbids itself before it looks at an image, so that a bug could not write to
/// one.
///
/// Two ties, as neither is enough: the filter of system calls is there on every kernel, but sees no
/// more than registers; Landlock knows files and directories, but many kernels have it switched
/// off. Whatever is to be written to is open by now: scratch files, spills and the cache.
enum Ties {
    /// Before any other thread is started.
    /// - Returns: what came of Landlock; without the filter nothing is done at all.
    static func tie(for work: WorkerOrder.Work) throws(Failure) -> Landlock.Outcome {
        var setsProperties = false
        if case .newData(.some) = work { setsProperties = true }
        let landlock: Landlock.Outcome
        do throws(Errno) {
            try Privileges.takeNoNew()
            landlock = try Landlock.forbidWriting()
        } catch {
            throw failure("landlock: \(error)")
        }
        do throws(Errno) {
            try CallFilter.forbidWriting(
                in: .process, changing: setsProperties ? .flagsAndProperties : .none)
        } catch {
            throw failure("seccomp: \(error)")
        }
        return landlock
    }

    private static func failure(_ detail: String) -> Failure {
        Failure(
            .failed, "the worker could not forbid itself to write; nothing was done",
            detail: detail)
    }
}
