# Completion of inception(1) for fish. The tables are those of the command; the rest is docs/completion/inception.fish.

# Whether the cursor is in the arguments of a command, in the first word that is no option or in a later one. Without
# arguments: whether no command is there yet.
function __inception_at
    set -l words (commandline -opc)
    set -l plain (string match --invert -- '-*' $words[3..-1])
    test (count $argv) -eq 0; and return (test (count $words) -eq 1)
    test (count $words) -gt 1; and test "$words[2]" = "$argv[1]"; or return 1
    switch "$argv[2]"
        case first
            test (count $plain) -eq 0
        case later
            test (count $plain) -gt 0
    end
end

complete -c inception -f
complete -c inception -n __inception_at -s h -l help -d 'explain the commands'
complete -c inception -n __inception_at -s V -l version -d 'print the version'
@TABLES@
