# Completion of inception(1) for bash. The tables are those of the command; the rest is docs/completion/inception.bash.

# What can stand in a place, "COMMAND WHAT": sets words, files or folders; fails if the place is not known. WHAT is an option
# that takes a value, or options, first or later: the words that are no options.
_inception_offer()
{
    words= files= folders=
    case "$1 $2" in
@TABLES@
    *) return 1 ;;
    esac
}

_inception()
{
    local words files folders current=${COMP_WORDS[COMP_CWORD]}
    local command=inception place=first option= plain= word i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $option ]]; then
            [[ $word == = ]] || option= # bash makes three words of --top=3
        elif [[ $word == -- ]]; then
            plain=1
        elif [[ $word == -* && ! $plain ]]; then
            _inception_offer "$command" "$word" && option=$word
        elif [[ $command == inception ]]; then
            command=$word
        else
            place=later
        fi
    done
    [[ $current == = ]] && current=
    if [[ $option ]]; then place=$option; elif [[ $current == -* && ! $plain ]]; then place=options; fi
    COMPREPLY=()
    _inception_offer "$command" "$place" || return 0
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    if [[ $files ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
    elif [[ $folders ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
    elif [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -F _inception inception
