#compdef inception
# Completion of inception(1) for zsh. The tables are those of the command; the rest is docs/completion/inception.zsh.

_inception_model() {
    _alternative 'networks:network: _inception_table networks' 'files:file:_files'
}

_inception_table() {
    case $1 in
@TABLES@
    *) return 1 ;;
    esac
}

_inception() {
    local curcontext=$curcontext state line
    _arguments -C '(-h --help)'{-h,--help}'[explain the commands]' '(-V --version)'{-V,--version}'[print the version]' \
        '1:command:->command' '*::word:->word' && return
    case $state in
    command) _inception_table commands ;;
    word)
        curcontext=${curcontext%:*:*}:inception-$words[1]:
        _inception_table $words[1] ;;
    esac
}

_inception "$@"
