// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// Tells who has started certain programs, from the moment in which the kernel opens them to do so
/// (`fanotify(7)`, FAN_OPEN_EXEC, Linux 5.0). It makes nobody wait.
public final class ProgramStarts: Sendable {
    /// struct fanotify_event_metadata: event_len (32 bits), vers, reserved (8 each), metadata_len
    /// (16), mask (64), fd, pid (32 each).
    private static let eventBytes = 24
    private static let overflow: UInt64 = 0x4000

    private let queue: Descriptor

    /// Those of the programs that there are.
    ///
    /// Fails with EPERM without CAP_SYS_ADMIN, with ENOSYS or EINVAL on a kernel that does not
    /// tell, and with ENOENT when there is none of them.
    public init(of programs: [FilePath]) throws(Errno) {
        queue = Descriptor(owning: try checked(csystemcalls_start_queue()))
        var isOfAny = false
        for program in programs {
            let result = unsafe program.withPlatformString {
                unsafe csystemcalls_start_queue_add(queue.rawValue, $0)
            }
            if result == 0 {
                isOfAny = true
            } else if errno != ENOENT {
                throw Errno(rawValue: errno)
            }
        }
        guard isOfAny else { throw .noSuchFileOrDirectory }
    }

    /// The processes that have started one since this was last asked, by their numbers. 0 is for
    /// those that the kernel had no room for.
    public func processes() -> [Int32] {
        var processes: [Int32] = []
        while let bytes = try? queue.read(maximumBytes: 64 * Self.eventBytes), !bytes.isEmpty {
            for event in Self.events(bytes) {
                // It comes with the program, open for reading.
                if event.file >= 0 { _ = Descriptor(owning: event.file) }
                processes.append(event.isOverflow ? 0 : event.process)
            }
        }
        return processes
    }

    struct Event: Equatable {
        let file: Int32
        let process: Int32
        let isOverflow: Bool
    }

    /// What one read gives. Pure.
    static func events(_ bytes: [UInt8]) -> [Event] {
        func integer<Value: FixedWidthInteger & BitwiseCopyable>(
            _ position: Int, _ type: Value.Type
        ) -> Value {
            // Within the array: there are `eventBytes` from the event's beginning on.
            unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: type)
        }
        var events: [Event] = []
        var position = 0
        while bytes.count - position >= eventBytes {
            let length = Int(integer(position, UInt32.self))
            guard length >= eventBytes else { break }
            events.append(
                Event(
                    file: integer(position + 16, Int32.self),
                    process: integer(position + 20, Int32.self),
                    isOverflow: integer(position + 8, UInt64.self) & overflow != 0))
            position += length
        }
        return events
    }
}
