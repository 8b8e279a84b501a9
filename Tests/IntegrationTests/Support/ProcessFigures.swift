// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// What /proc says of a process.
enum ProcessFigures {
    /// A figure of `/proc/PID/status`, as `VmRSS`, in bytes.
    static func bytes(_ name: String, of process: Int32) -> Int? {
        let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = text?.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return line?.split(separator: "\t").last?.split(separator: " ").first
            .flatMap { Int($0) }.map { $0 * 1024 }
    }

    /// How many descriptors it has open.
    static func descriptors(of process: Int32) -> Int? {
        try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }

    /// The processes that it has started and not yet reaped.
    static func children(of process: Int32) -> [Int32] {
        let tasks = "/proc/\(process)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return threads.flatMap { thread -> [Int32] in
            let path = "\(tasks)/\(thread)/children"
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            return text.split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// It is there and more than a name that its parent has not yet taken notice of: its first
    /// thread may be no more than that while another still ends a call, with all files open.
    static func isRunning(_ process: Int32) -> Bool {
        let tasks = "/proc/\(process)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return threads.contains { thread in
            let text = try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)
            guard let state = text?.split(separator: ")").last?.split(separator: " ").first else {
                return false
            }
            return state != "Z" && state != "X"
        }
    }
}
