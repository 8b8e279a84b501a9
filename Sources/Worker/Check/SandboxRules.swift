// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// What the ties that the worker got mean. The filter of system calls is there, or no worker would
/// say anything. Pure.
enum SandboxRules {
    typealias Finding = CheckReport.Finding

    /// Landlock that forbids cutting files, too.
    static let cutting = 3
    /// The modules of Qubes' kernels, where this one does not say which are on.
    static let usualModules = "yama,loadpin,safesetid,integrity"

    /// - Parameters:
    ///   - landlock: what the kernel answered when the worker asked for it.
    ///   - modules: what is on, in the kernel's order.
    static func sandbox(_ landlock: Landlock.Outcome, modules: String?) -> Finding {
        switch landlock {
        case .enforced(let version) where version >= cutting:
            return Finding(
                .good, topic, "dom0",
                "jobs are kept from writing to images twice: by a filter of system calls, and by"
                    + " Landlock")
        case .enforced(let version):
            return Finding(
                .note, topic, "dom0", "Landlock here is of version \(version)",
                reason: "From version \(cutting) on it keeps jobs from cutting a file, too. Until"
                    + " then their filter of system calls alone does.",
                command: "qubes-dom0-update kernel-latest")
        case .unavailable(.notSupported):
            return Finding(
                .note, topic, "dom0", "Landlock is built in, and switched off",
                reason: "A filter of system calls keeps jobs from writing to images; Landlock would"
                    + " be the second tie.",
                command: "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX"
                    + " lsm=landlock,\(others(modules))\"' >> /etc/default/grub;"
                    + " grub2-mkconfig -o /boot/grub2/grub.cfg  # then restart")
        case .unavailable:
            return Finding(
                .note, topic, "dom0", "this kernel has no Landlock",
                reason: "A filter of system calls keeps jobs from writing to images; Landlock would"
                    + " be the second tie.",
                command: "qubes-dom0-update kernel-latest")
        }
    }

    private static let topic = "sandbox"

    /// Those that are on stay on. `capability` always is, and has no place in the option.
    private static func others(_ modules: String?) -> String {
        let names = (modules ?? "").split(separator: ",").filter {
            $0 != "capability" && $0 != "landlock"
                && $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        }
        return names.isEmpty ? usualModules : names.joined(separator: ",")
    }
}
