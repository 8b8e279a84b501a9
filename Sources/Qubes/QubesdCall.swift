// SPDX-License-Identifier: GPL-2.0-or-later

/// A call of the Admin API as it goes over qubesd's socket.
struct Call {
    let method: String
    var argument = ""
    /// The qube that calls: qubesd believes it, since only dom0 can reach its socket.
    var source = Qube.adminName
    /// The qube that the call is about.
    var destination = Qube.adminName

    /// `METHOD+ARGUMENT SOURCE name DESTINATION`, ended by a NUL. A name with a space or a NUL
    /// would make another call of it, so that all are held to their character set.
    func encoded() throws(QubesdError) -> [UInt8] {
        for qube in [source, destination] where !Names.isQubeName(qube) {
            throw error(.invalidName(quoted(qube)))
        }
        guard argument.isEmpty || Names.isPlain(argument) else {
            throw error(.invalidName(quoted(argument)))
        }
        return Array("\(method)+\(argument) \(source) name \(destination)".utf8) + [0]
    }

    func error(_ reason: QubesdError.Reason) -> QubesdError {
        let plus = argument.isEmpty ? "" : "+\(quoted(argument))"
        let subject = destination == Qube.adminName ? "" : " of \(quoted(destination))"
        let caller = source == Qube.adminName ? "" : " for \(quoted(source))"
        return QubesdError(reason, method + plus + subject + caller)
    }
}

/// What came back, read strictly.
struct Reply {
    private let untrusted: [UInt8]
    private let call: Call

    init(_ untrusted: [UInt8], _ call: Call) {
        self.untrusted = untrusted
        self.call = call
    }

    /// The content of the envelope: what follows `0 NUL`.
    func content() throws(QubesdError) -> [UInt8] {
        guard let kind = untrusted.first else { throw call.error(.refused) }
        guard untrusted.count >= 2, untrusted[1] == 0 else {
            throw call.error(.malformed("no envelope"))
        }
        let rest = untrusted.dropFirst(2)
        switch kind {
        case UInt8(ascii: "0"): return Array(rest)
        case UInt8(ascii: "2"): throw call.error(exception(rest))
        default: throw call.error(.malformed("an envelope of another kind"))
        }
    }

    /// `type NUL traceback NUL format NUL (field NUL)*`; the traceback is not for us.
    private func exception(_ bytes: ArraySlice<UInt8>) -> QubesdError.Reason {
        let limitBytes = 200
        let strings = bytes.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard strings.count == 4 else { return .malformed("an exception that is cut short") }
        guard Names.isPlain(strings[0]) else {
            return .malformed("an exception of type \(quoted(strings[0]))")
        }
        return .exception(
            kind: strings[0], message: quoted(strings[2], limitBytes: limitBytes))
    }

    /// The content as text: no control character but the end of a line.
    private func text() throws(QubesdError) -> String {
        guard let text = String(validating: untrusted, as: UTF8.self),
            untrusted.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == UInt8(ascii: "\n") })
        else { throw call.error(.malformed("no text")) }
        return text
    }

    /// Lines, each ended by a newline: a last line without one is a reply that was cut off.
    func lines() throws(QubesdError) -> [String] {
        let text = try text()
        if text.isEmpty { return [] }
        guard text.utf8.last == UInt8(ascii: "\n") else {
            throw call.error(.malformed("it is cut off"))
        }
        return text.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }
}
