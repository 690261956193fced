# Checks in shell scripts: sourced, it makes a folder $stage that goes at the end. Prints TAP; `finish` prints the plan.
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
count=0 failed=0
check() { # name, command ...
    name=$1 count=$((count + 1))
    shift
    if "$@" >"$stage/log" 2>&1; then echo "ok $count - $name"; return; fi
    failed=$((failed + 1))
    echo "not ok $count - $name"
    sed 's/^/# /' "$stage/log" | tail -20
}
skip() { # name, why
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}
finish() {
    echo "1..$count"
    [ "$failed" = 0 ]
}
