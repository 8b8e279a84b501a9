// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Client

extension Manual {
    /// The completions of each shell, by their paths in the checkout: the parser's, mended.
    public static func completions() throws -> [String: String] {
        [
            "completion/qvm-btrfs.bash": try Completion.bash(),
            "completion/_qvm-btrfs": try Completion.zsh(),
            "completion/qvm-btrfs.fish": try Completion.fish(),
        ]
    }
}

/// What the parser writes for a shell, and what has to be another way. Each change says what it
/// expects to find, so that another release of the parser is noticed.
enum Completion {
    /// What stands in front.
    private static let header = """
        # SPDX-License-Identifier: GPL-2.0-or-later
        # Made by `make completion` from the parser of qvm-btrfs: change man/Maker or the commands.

        """

    private static func script(_ shell: CompletionShell) -> String {
        QvmBtrfs.completionScript(for: shell)
    }

    private static func changed(
        _ script: String, _ changes: [(from: String, to: String)]
    ) throws -> String {
        try changes.reduce(script) { text, change in
            guard text.contains(change.from) else { throw ManualError.noSuchText(change.from) }
            return text.replacing(change.from, with: change.to)
        }
    }

    static func bash() throws -> String {
        try changed(
            script(.bash),
            [
                ("#!/bin/bash\n", header),
                // The trap would stay, and each `source` after that would bring back the options
                // that the shell had when it completed. The function at the end has them instead.
                (
                    """
                        local state
                        state="$(shopt -p;shopt -po)"
                        trap "${state//$'\\n'/;}" RETURN
                        shopt -s extglob

                    """, "    shopt -s extglob\n"
                ),
                // Names are no files: a qube that is called as a folder here would get a slash.
                ("complete -o filenames -F _qvm-btrfs qvm-btrfs", wrapper),
                (
                    "        __qvm-btrfs_add_completions -f\n",
                    "        compopt -o filenames 2>/dev/null\n"
                        + "        __qvm-btrfs_add_completions -f\n"
                ),
                (
                    #""${COMP_WORDS[0]}" "${@}" "${words[@]}""#,
                    #""${COMP_WORDS[0]}" "${@}" "${words[@]}" 2>/dev/null"#
                ),
            ]) + "\n"
    }

    /// bash parts words at colons and equal signs, which are within ours: `work:private` is one
    /// word, and `--level=3` are two.
    private static let wrapper = #"""
        __qvm-btrfs_complete() {
            local state cur word
            state="$(shopt -p; shopt -po)"
            local -a words=()
            local -i index last
            for ((index = 0; index <= COMP_CWORD; index++)); do
                word="${COMP_WORDS[index]}"
                last=$((${#words[@]} - 1))
                if ((last < 1)); then
                    words+=("${word}")
                elif [[ "${word}" = = && "${words[last]}" = --* ]]; then
                    # Its value is the next word, which may not be there yet.
                    ((index < COMP_CWORD)) || words+=('')
                elif [[ "${word}" = : || ("${words[last]}" = *: && -n "${word}") ]]; then
                    words[last]+="${word}"
                else
                    words+=("${word}")
                fi
            done
            last=$((${#words[@]} - 1))
            cur="${words[last]}"
            local -a COMP_WORDS=("${words[@]}")
            local -i COMP_CWORD="${last}"
            local COMP_LINE="${words[*]}"
            local -i COMP_POINT="${#COMP_LINE}"
            _qvm-btrfs "${1}" "${cur}" "${words[last - 1]}"
            # What stands before the colon stays where it is.
            if [[ "${cur}" = *:* && "${COMP_WORDBREAKS}" = *:* ]]; then
                COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
            fi
            eval "${state}"
        }

        complete -F __qvm-btrfs_complete qvm-btrfs
        """#

    static func zsh() throws -> String {
        let text = try changed(
            script(.zsh),
            [
                ("#compdef qvm-btrfs\n", "#compdef qvm-btrfs\n\(header)"),
                (
                    #""${command_name}" "${@}" "${command_line[@]}""#,
                    #""${command_name}" "${@}" "${command_line[@]}" 2>/dev/null"#
                ),
            ])
        // A value may stand behind an equal sign, too.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.contains(#/^ +'\*?--[a-z-]+\[.*\]:/#)
                ? String(line.replacing("[", with: "=[", maxReplacements: 1)) : String(line)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    static func fish() throws -> String {
        header
            + (try changed(
                script(.fish),
                [
                    (
                        "command $tokens[1] $argv $tokens",
                        "command $tokens[1] $argv $tokens 2>/dev/null"
                    )
                ]
            )) + "\n"
    }
}
