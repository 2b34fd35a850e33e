#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
# The demo as a user sees it: it starts and signs, says that it is running already, every command
# that it prints works, kill -9 of everything but the node loses no account, and it ends without
# leaving a process.
set -uo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" -ne 0 ]; then
    echo '1..0 # SKIP the demo needs root: the enclave drops to user ids of its own'
    exit 0
fi
state=$(mktemp -d)
export CLOISTER_DEMO=$state/demo
trap 'scripts/demo-stop --quiet; rm -rf "$state"' EXIT
number=0
failed=0

# case NAME COMMAND...: one TAP line; the output of a failure follows it.
case_() {
    local name=$1
    shift
    number=$((number + 1))
    if "$@" >"$state/out" 2>&1; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        sed 's/^/# /' "$state/out"
        failed=$((failed + 1))
    fi
}

starts() { scripts/demo >"$state/first" 2>&1 || { cat "$state/first"; return 1; }; }
says() { grep -q -- "$1" "$state/first" || { cat "$state/first"; return 1; }; }
tells_the_story() {
    local place
    for place in NSM configuration IMDS KMS receipt HTTPS signature node; do
        says "^  $place  *[a-zA-Z]" || return 1
    done
    says 'GenerateDataKey: ' && says ' Decrypt: ' && says 'PCR16 was locked'
}
runs_already() { scripts/demo | grep 'is running already'; }
private() { [ "$(stat -c %a "$CLOISTER_DEMO")" = 700 ] && [ "$(stat -c %a "$CLOISTER_DEMO/token")" = 600 ]; }

# Every printed command but those that restart or end the demo.
printed() { grep -E '^  (build|curl)' "$state/first"; }
printed_work() {
    local line count=0
    while read -r line; do
        count=$((count + 1))
        echo "\$ $line"
        sh -c "$line" </dev/null || return 1
    done < <(printed)
    [ "$count" -ge 8 ]
}

https_says() { printed_work && grep -q '^cloister_data_requests_total' "$state/out"; }

# No secret may stand in a log, in an argument or in the environment of a process.
no_token_in_logs() {
    ! grep -rqF -- "$(cat "$CLOISTER_DEMO/token")" "$CLOISTER_DEMO/log" &&
        ! grep -rqF -- "$(cat "$CLOISTER_DEMO/client.token")" "$CLOISTER_DEMO/log"
}

sessions() { cut -d' ' -f1 "$CLOISTER_DEMO"/run/* 2>/dev/null; }
nothing_left() {
    local session
    for session in $1; do
        # What has ended and was not waited for (Z) is no process any more.
        if ps -o pid=,stat=,args= -s "$session" | awk '$2 !~ /^Z/' | grep .; then
            return 1
        fi
    done
    [ ! -e "$CLOISTER_DEMO" ]
}

echo '1..11'
case_ 'starts, signs and exits with 0' starts
case_ 'two independent libraries verify the transaction' says '^verified .*ethers and viem recover'
case_ 'tells what happened at each trust boundary' tells_the_story
case_ 'says that the account has no policy' says 'no policy yet: unrestricted'
case_ 'its state is readable by its owner only' private
case_ 'a second start says that it is running' runs_already
case_ 'every printed command works, HTTPS too' https_says
case_ 'the token is in no log' no_token_in_logs
case_ 'the account signs after kill -9 of all but the node' scripts/demo restart
left=$(sessions)
case_ 'ends' scripts/demo-stop
case_ 'leaves no process and no state' nothing_left "$left"
exit "$failed"
