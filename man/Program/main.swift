// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Manual

// Writes what it is asked for into the checkout that it is started in: `manual` or `completion`.
let files =
    switch CommandLine.arguments.dropFirst().first {
    case "completion": try Manual.completions()
    default: try Manual.pages { try String(contentsOfFile: $0, encoding: .utf8) }
    }
for (path, text) in files.sorted(by: { $0.key < $1.key }) {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    print(path)
}
