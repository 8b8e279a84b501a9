# SPDX-License-Identifier: GPL-2.0-or-later
# Made by `make completion` from the parser of qvm-btrfs: change man/Maker or the commands.

__qvm-btrfs_cursor_index_in_current_word() {
    local remaining="${COMP_LINE}"

    local word
    for word in "${COMP_WORDS[@]::COMP_CWORD}"; do
        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}"
    done

    local -ir index="$((COMP_POINT - ${#COMP_LINE} + ${#remaining}))"
    if [[ "${index}" -le 0 ]]; then
        printf 0
    else
        printf %s "${index}"
    fi
}

# positional arguments:
#
# - 1: the current (sub)command's count of positional arguments
#
# required variables:
#
# - repeating_flags: the repeating flags that the current (sub)command can accept
# - non_repeating_flags: the non-repeating flags that the current (sub)command can accept
# - repeating_options: the repeating options that the current (sub)command can accept
# - non_repeating_options: the non-repeating options that the current (sub)command can accept
# - positional_number: value ignored
# - unparsed_words: unparsed words from the current command line
#
# modified variables:
#
# - non_repeating_flags: remove flags for this (sub)command that are already on the command line
# - non_repeating_options: remove options for this (sub)command that are already on the command line
# - positional_number: set to the current positional number
# - unparsed_words: remove all flags, options, and option values for this (sub)command
__qvm-btrfs_offer_flags_options() {
    local -ir positional_count="${1}"
    positional_number=0

    local was_flag_option_terminator_seen=false
    local is_parsing_option_value=false

    local -ar unparsed_word_indices=("${!unparsed_words[@]}")
    local -i word_index
    for word_index in "${unparsed_word_indices[@]}"; do
        if "${is_parsing_option_value}"; then
            # This word is an option value:
            # Reset marker for next word iff not currently the last word
            [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]] && is_parsing_option_value=false
            unset "unparsed_words[${word_index}]"
            # Do not process this word as a flag or an option
            continue
        fi

        local word="${unparsed_words["${word_index}"]}"
        if ! "${was_flag_option_terminator_seen}"; then
            case "${word}" in
            --)
                unset "unparsed_words[${word_index}]"
                # by itself -- is a flag/option terminator, but if it is the last word, it is the start of a completion
                if [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]]; then
                    was_flag_option_terminator_seen=true
                fi
                continue
                ;;
            -*)
                # ${word} is a flag or an option
                # If ${word} is an option, mark that the next word to be parsed is an option value
                local option
                for option in "${repeating_options[@]}" "${non_repeating_options[@]}"; do
                    [[ "${word}" = "${option}" ]] && is_parsing_option_value=true && break
                done

                # Remove ${word} from ${non_repeating_flags} or ${non_repeating_options} so it isn't offered again
                local not_found=true
                local -i index
                for index in "${!non_repeating_flags[@]}"; do
                    if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                        unset "non_repeating_flags[${index}]"
                        non_repeating_flags=("${non_repeating_flags[@]}")
                        not_found=false
                        break
                    fi
                done
                if "${not_found}"; then
                    for index in "${!non_repeating_flags[@]}"; do
                        if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                            unset "non_repeating_flags[${index}]"
                            non_repeating_flags=("${non_repeating_flags[@]}")
                            break
                        fi
                    done
                fi
                unset "unparsed_words[${word_index}]"
                continue
                ;;
            esac
        fi

        # ${word} is neither a flag, nor an option, nor an option value
        if [[ "${positional_number}" -lt "${positional_count}" || "${positional_count}" -lt 0 ]]; then
            # ${word} is a positional
            ((positional_number++))
            unset "unparsed_words[${word_index}]"
        else
            if [[ -z "${word}" ]]; then
                # Could be completing a flag, option, or subcommand
                positional_number=-1
            else
                # ${word} is a subcommand or invalid, so stop processing this (sub)command
                positional_number=-2
            fi
            break
        fi
    done

    unparsed_words=("${unparsed_words[@]}")

    if\
        ! "${was_flag_option_terminator_seen}"\
        && ! "${is_parsing_option_value}"\
        && [[ ("${cur}" = -* && "${positional_number}" -ge 0) || "${positional_number}" -eq -1 ]]
    then
        COMPREPLY+=($(compgen -W "${repeating_flags[*]} ${non_repeating_flags[*]} ${repeating_options[*]} ${non_repeating_options[*]}" -- "${cur}"))
    fi
}

__qvm-btrfs_add_completions() {
    local completion
    while IFS='' read -r completion; do
        COMPREPLY+=("${completion}")
    done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
}

__qvm-btrfs_custom_complete() {
    if [[ -n "${cur}" || -z ${COMP_WORDS[${COMP_CWORD}]} || "${COMP_LINE:${COMP_POINT}:1}" != ' ' ]]; then
        local -ar words=("${COMP_WORDS[@]}")
    else
        local -ar words=("${COMP_WORDS[@]::${COMP_CWORD}}" '' "${COMP_WORDS[@]:${COMP_CWORD}}")
    fi

    "${COMP_WORDS[0]}" "${@}" "${words[@]}" 2>/dev/null
}

_qvm-btrfs() {
    shopt -s extglob
    set +o history +o posix

    local -xr SAP_SHELL=bash
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(IFS='.';printf %s "${BASH_VERSINFO[*]}")"
    local -r SAP_SHELL_VERSION

    local -r cur="${2}"
    local -r prev="${3}"

    local -i positional_number
    local -a unparsed_words=("${COMP_WORDS[@]:1:${COMP_CWORD}}")

    local -a repeating_flags=()
    local -a non_repeating_flags=(--version -h --help)
    local -a repeating_options=()
    local -a non_repeating_options=()
    __qvm-btrfs_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    report|check|estimate|verify|compress|dedupe|optimize|defragment|sparsify|new-data|trim|jobs|watch|cancel|pause|resume|audit|policy|setup|follow|help)
        # Offer subcommand argument completions
        "_qvm-btrfs_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'report check estimate verify compress dedupe optimize defragment sparsify new-data trim jobs watch cancel pause resume audit policy setup follow help' -- "${cur}"))
        ;;
    esac
}

_qvm-btrfs_report() {
    repeating_flags=()
    non_repeating_flags=(--all --only-running --reverse --tree --revisions --csv --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude --qube)
    non_repeating_options=(--template --sort --html --compare --socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion report -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--qube')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion report -- --qube "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--template')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion report -- --template "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--sort')
        __qvm-btrfs_add_completions -W 'disk'$'\n''data'$'\n''exclusive'$'\n''shared'$'\n''revisions'$'\n''ratio'$'\n''extents'$'\n''unreachable'$'\n''name'
        return
        ;;
    '--html')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    '--compare')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion report -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_check() {
    repeating_flags=()
    non_repeating_flags=(--all --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion check -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion check -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_estimate() {
    repeating_flags=()
    non_repeating_flags=(--all --running --no-wait --brief --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion estimate -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion estimate -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_verify() {
    repeating_flags=()
    non_repeating_flags=(--all --accept --battery --no-wait --brief --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion verify -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion verify -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_compress() {
    repeating_flags=()
    non_repeating_flags=(--all --plain --running --no-wait --brief --battery --risk-read-only --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--level --for --until --socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion compress -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--level')
        __qvm-btrfs_add_completions -W '-15'$'\n''-14'$'\n''-13'$'\n''-12'$'\n''-11'$'\n''-10'$'\n''-9'$'\n''-8'$'\n''-7'$'\n''-6'$'\n''-5'$'\n''-4'$'\n''-3'$'\n''-2'$'\n''-1'$'\n''1'$'\n''2'$'\n''3'$'\n''4'$'\n''5'$'\n''6'$'\n''7'$'\n''8'$'\n''9'$'\n''10'$'\n''11'$'\n''12'$'\n''13'$'\n''14'$'\n''15'$'\n''16'$'\n''17'$'\n''18'$'\n''19'
        return
        ;;
    '--for')
        __qvm-btrfs_add_completions -W '30m'$'\n''1h'$'\n''2h'$'\n''4h'$'\n''8h'
        return
        ;;
    '--until')
        __qvm-btrfs_add_completions -W '06:00'$'\n''07:00'$'\n''08:00'
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion compress -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_dedupe() {
    repeating_flags=()
    non_repeating_flags=(--all --running --no-wait --brief --battery --risk-read-only --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--for --until --socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion dedupe -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--for')
        __qvm-btrfs_add_completions -W '30m'$'\n''1h'$'\n''2h'$'\n''4h'$'\n''8h'
        return
        ;;
    '--until')
        __qvm-btrfs_add_completions -W '06:00'$'\n''07:00'$'\n''08:00'
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion dedupe -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_optimize() {
    repeating_flags=()
    non_repeating_flags=(--all --running --no-wait --brief --battery --risk-read-only --trim --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--level --for --until --socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion optimize -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--level')
        __qvm-btrfs_add_completions -W '-15'$'\n''-14'$'\n''-13'$'\n''-12'$'\n''-11'$'\n''-10'$'\n''-9'$'\n''-8'$'\n''-7'$'\n''-6'$'\n''-5'$'\n''-4'$'\n''-3'$'\n''-2'$'\n''-1'$'\n''1'$'\n''2'$'\n''3'$'\n''4'$'\n''5'$'\n''6'$'\n''7'$'\n''8'$'\n''9'$'\n''10'$'\n''11'$'\n''12'$'\n''13'$'\n''14'$'\n''15'$'\n''16'$'\n''17'$'\n''18'$'\n''19'
        return
        ;;
    '--for')
        __qvm-btrfs_add_completions -W '30m'$'\n''1h'$'\n''2h'$'\n''4h'$'\n''8h'
        return
        ;;
    '--until')
        __qvm-btrfs_add_completions -W '06:00'$'\n''07:00'$'\n''08:00'
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion optimize -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_defragment() {
    repeating_flags=()
    non_repeating_flags=(--all --running --no-wait --brief --battery --risk-read-only --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--for --until --socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion defragment -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--for')
        __qvm-btrfs_add_completions -W '30m'$'\n''1h'$'\n''2h'$'\n''4h'$'\n''8h'
        return
        ;;
    '--until')
        __qvm-btrfs_add_completions -W '06:00'$'\n''07:00'$'\n''08:00'
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion defragment -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_sparsify() {
    repeating_flags=()
    non_repeating_flags=(--all --running --no-wait --brief --battery --risk-read-only --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--for --until --socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion sparsify -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--for')
        __qvm-btrfs_add_completions -W '30m'$'\n''1h'$'\n''2h'$'\n''4h'$'\n''8h'
        return
        ;;
    '--until')
        __qvm-btrfs_add_completions -W '06:00'$'\n''07:00'$'\n''08:00'
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion sparsify -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_new-data() {
    repeating_flags=()
    non_repeating_flags=(--json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--compress --socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--compress')
        __qvm-btrfs_add_completions -W 'zstd'$'\n''off'$'\n''default'
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion new-data -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_trim() {
    repeating_flags=()
    non_repeating_flags=(--all --templates --by-feature --start --yes --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--exclude)
    non_repeating_options=(--time-limit --socket)
    __qvm-btrfs_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--exclude')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion trim -- --exclude "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--time-limit')
        __qvm-btrfs_add_completions -W '30m'$'\n''1h'$'\n''2h'$'\n''4h'$'\n''8h'
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion trim -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_jobs() {
    repeating_flags=()
    non_repeating_flags=(--json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--qube --socket)
    __qvm-btrfs_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--qube')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion jobs -- --qube "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac
}

_qvm-btrfs_watch() {
    repeating_flags=()
    non_repeating_flags=(--notify --json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--qube --socket)
    __qvm-btrfs_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--qube')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion watch -- --qube "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion watch -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_cancel() {
    repeating_flags=()
    non_repeating_flags=(--no-wait --json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--qube --socket)
    __qvm-btrfs_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--qube')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion cancel -- --qube "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion cancel -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_pause() {
    repeating_flags=()
    non_repeating_flags=(--json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--qube --socket)
    __qvm-btrfs_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--qube')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion pause -- --qube "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion pause -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_resume() {
    repeating_flags=()
    non_repeating_flags=(--json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--qube --socket)
    __qvm-btrfs_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--qube')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion resume -- --qube "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion resume -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_audit() {
    repeating_flags=()
    non_repeating_flags=(--json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--since --caller --qube --journal --socket)
    __qvm-btrfs_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--since')
        return
        ;;
    '--caller')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion audit -- --caller "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--qube')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion audit -- --qube "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--journal')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac
}

_qvm-btrfs_policy() {
    repeating_flags=()
    non_repeating_flags=(--all --read-only --trim --json --quiet -q --verbose -v --version -h --help)
    repeating_options=(--qube --tag)
    non_repeating_options=(--socket)
    __qvm-btrfs_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--qube')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion policy -- --qube "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--tag')
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion policy -- positional@0 "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_qvm-btrfs_setup() {
    repeating_flags=()
    non_repeating_flags=(--yes --dry-run --undo --json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--admin --socket)
    __qvm-btrfs_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--admin')
        __qvm-btrfs_add_completions -W "$(__qvm-btrfs_custom_complete ---completion setup -- --admin "${COMP_CWORD}" "$(__qvm-btrfs_cursor_index_in_current_word)")"
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac
}

_qvm-btrfs_follow() {
    repeating_flags=()
    non_repeating_flags=(--json --quiet -q --verbose -v --version -h --help)
    repeating_options=()
    non_repeating_options=(--quiet-minutes --socket)
    __qvm-btrfs_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--quiet-minutes')
        return
        ;;
    '--socket')
        compopt -o filenames 2>/dev/null
        __qvm-btrfs_add_completions -f
        return
        ;;
    esac
}

_qvm-btrfs_help() {
    repeating_flags=()
    non_repeating_flags=(--version)
    repeating_options=()
    non_repeating_options=()
    __qvm-btrfs_offer_flags_options -1
}

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
