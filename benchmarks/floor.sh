# Moves one gateway to another list with what a host has without Python: POSIX sh, sed, grep, pgrep, coreutils.
# The floor that ours is measured against, with the same proofs: out by the site's command, no process left, none of
# its sockets left, the log-out acknowledged; then the list, the start, and a session with a log-in that stands.
# `floor.py` puts PATTERN, START, STOP, CONFIG, EDIT, STATUS, LOGGED_IN, LOG, LOGGED_OUT, ENDPOINTS and STRICT before it.
set -u

refuse() {
    echo "$1" >&2
    exit 3
}

within() { # within SECONDS CONDITION: looks every 0.02 s
    looks=$(($1 * 50))
    until $2; do
        looks=$((looks - 1))
        [ "$looks" -gt 0 ] || return 1
        sleep 0.02
    done
}

gone() {
    ! pgrep -f -- "$PATTERN" >/dev/null
}

appeared() {
    pgrep -f -- "$PATTERN" >/dev/null
}

released() { # none of the sockets that it held has a holder
    for table in /proc/net/tcp /proc/net/tcp6; do
        [ -r "$table" ] || continue
        while read -r _ _ _ _ _ _ _ _ _ inode _; do
            case "$held" in *" $inode "*) return 1 ;; esac
        done <"$table"
    done
}

hold() { # hold PID: notes the sockets of a process
    listed=$(ls -l "/proc/$1/fd") || refuse "expected to see the gateway's sockets, found no permission"
    for word in $listed; do
        case "$word" in
            socket:*)
                inode=${word#socket:?}
                held="$held${inode%?} "
                ;;
        esac
    done
}

logged_in() { # it says so, and a session to an endpoint of the list stands
    says=
    while read -r line; do
        [ "$line" != "$LOGGED_IN" ] || says=yes
    done 2>/dev/null <"$STATUS" || return 1
    [ -n "$says" ] || return 1
    while read -r _ _ remote state _; do
        [ "$state" = 01 ] || continue
        case "$ENDPOINTS" in *" $remote "*) return 0 ;; esac
    done </proc/net/tcp
    return 1
}

held=" "
running=$(pgrep -f -- "$PATTERN") || running=
for pid in $running; do
    hold "$pid"
done
if [ -n "$running" ]; then
    size=$(stat -c %s "$LOG") || refuse "expected the gateway's log, found none"
    # shellcheck disable=SC2086 # a list of words
    timeout 15 $STOP </dev/null >/dev/null 2>&1 || refuse "expected the stop command to succeed"
    within 15 gone || refuse "expected no process after stopping, found one"
    within 15 released || refuse "expected its sockets closed, found one that is held"
    tail -c "+$((size + 1))" "$LOG" | grep -q -- "$LOGGED_OUT" || refuse "expected the log-out acknowledged, found it not"
elif [ -n "$STRICT" ]; then
    refuse "expected it to run, found no process"
fi

new=$CONFIG.new-$$
{ cp -p "$CONFIG" "$new" && sed -e "$EDIT" "$CONFIG" >"$new" && sync "$new" && mv "$new" "$CONFIG" &&
    sync "${CONFIG%/*}"; } || {
    rm -f "$new"
    refuse "expected the list to be written"
}

# shellcheck disable=SC2086 # a list of words
timeout 15 $START </dev/null >/dev/null 2>&1 || refuse "expected the start command to succeed"
within 5 appeared || refuse "expected a process after starting, found none"
within 45 logged_in || refuse "expected a log-in within 45 s, found none"
echo moved
