// SPDX-License-Identifier: GPL-2.0-or-later

/// One message of the Admin API's envelope.
///
/// `0 NUL content` is a reply and reaches to the end of the stream; `1 NUL subject NUL event NUL
/// (key NUL value NUL)* NUL` an event, and a stream may hold many; `2 NUL type NUL traceback NUL
/// message NUL (field NUL)*` an exception.
public enum Envelope: Equatable, Sendable {
    /// A reply with its content.
    case reply([UInt8])
    /// An event of a stream. No string holds a NUL.
    case event(subject: String, name: String, fields: [Field])
    /// The call failed.
    case exception(ServiceException)

    /// A key and a value of an event.
    public struct Field: Equatable, Sendable {
        /// The key.
        public let key: String
        /// The value.
        public let value: String

        /// Makes a field.
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// The bytes to send. A NUL within a string is dropped: it would forge a field.
    public func encoded() -> [UInt8] {
        func text(_ string: String) -> [UInt8] { string.utf8.filter { $0 != 0 } + [0] }
        switch self {
        case .reply(let content):
            return text("0") + content
        case .event(let subject, let name, let fields):
            return text("1") + text(subject) + text(name)
                + fields.flatMap { text($0.key) + text($0.value) } + [0]
        case .exception(let exception):
            // Clients format the message with its fields, so that a per cent sign stands for itself
            // only when it is doubled: each byte of it, whatever combines with it in the text.
            let message = text(exception.message).flatMap {
                $0 == UInt8(ascii: "%") ? [$0, $0] : [$0]
            }
            return text("2") + text(exception.kind.rawValue) + [0] + message
        }
    }
}

/// Why a call failed, as the caller sees it: a kind that programs can tell, and one sentence.
public struct ServiceException: Error, Equatable, Sendable {
    /// The kinds. Their raw values are the exceptions' names on the wire.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// The request is not well formed.
        case badRequest = "QubesValueError"
        /// No such qube, or not for this caller: the same answer for both.
        case noSuchQube = "QubesVMNotFoundError"
        /// The qube has no such volume.
        case noSuchVolume = "QubesVolumeNotFoundError"
        /// No such job, or not for this caller.
        case noSuchJob = "BtrfsJobNotFoundError"
        /// The job is over: there is nothing to cancel, pause or resume.
        case jobOver = "BtrfsJobOverError"
        /// The pool cannot be worked on.
        case unsuitablePool = "BtrfsPoolError"
        /// Too many jobs or calls; try again later.
        case busy = "BtrfsBusyError"
        /// Something failed in dom0; the detail is in its log.
        case failed = "BtrfsError"
    }

    /// What kind.
    public let kind: Kind
    /// What was wrong, with which thing, and what to do.
    public let message: String

    /// Makes an exception.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
