// SPDX-License-Identifier: GPL-2.0-or-later
public import ArgumentParser
public import Protocol
import SystemPackage

// What the parser makes of words. It names a word that is none of its kind together with the
// argument it stands at, whose help says the form; the service judges each again.

extension QubeName: ExpressibleByArgument {
    /// Reads one word of the command line; nil when it is no name.
    public init?(argument: String) { self.init(argument) }

    /// What a shell offers.
    public static var defaultCompletionKind: CompletionKind { .names(.qube) }
}

extension Place: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }

    static var defaultCompletionKind: CompletionKind { .names(.place) }
}

extension TagName: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }
}

extension JobPrefix: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }

    static var defaultCompletionKind: CompletionKind { .names(.job) }
}

extension CompressionLevel: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }

    static var defaultCompletionKind: CompletionKind {
        .list(CompressRequest.levels.map(String.init))
    }
}

extension NewDataSetting: ExpressibleByArgument {}
extension ReportSort: ExpressibleByArgument {}

/// The path of a file or of a socket: not empty.
struct PathArgument: ExpressibleByArgument {
    let path: FilePath

    init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        path = FilePath(argument)
    }

    static var defaultCompletionKind: CompletionKind { .file() }
}
