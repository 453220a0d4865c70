#!/bin/sh
# Sets the number of workers by the depth of the queue, between two bounds. Needs kubectl and nothing
# else; run it every minute (a systemd timer, a CI schedule, a loop), or once by hand:
#
#   MIN=2 MAX=10 sh deploy/kubernetes/scale/scale.sh
#   DRY_RUN=1 sh deploy/kubernetes/scale/scale.sh
#
# Two figures decide, and the smaller one wins:
#   queued onboardings / PER_WORKER       how many workers the depth would keep busy
#   busy accounts / ACCOUNTS_PER_WORKER   how many can be of use: an account is held to its allowance
#                                         (200 requests a minute), which one worker uses up alone
# docs/scaling.md says what one worker manages; both defaults stay far below it.
set -eu
: "${DEPLOYMENT:=trunkline-worker}"
: "${MIN:=2}"
: "${MAX:=10}"
: "${PER_WORKER:=5000}"
: "${ACCOUNTS_PER_WORKER:=200}"
: "${DRY_RUN:=}"

for bound in "$MIN" "$MAX" "$PER_WORKER" "$ACCOUNTS_PER_WORKER"; do
    case $bound in
        '' | 0 | *[!0-9]*) echo "scale: MIN, MAX, PER_WORKER and ACCOUNTS_PER_WORKER are whole numbers above 0, not '$bound'" >&2; exit 2 ;;
    esac
done
[ "$MIN" -le "$MAX" ] || { echo "scale: MIN $MIN is above MAX $MAX" >&2; exit 2; }

# Nothing known is no reason to change anything.
status=$(kubectl exec "deployment/$DEPLOYMENT" -- trunkline status --json) || {
    echo "scale: the store could not be asked; the number of workers stays as it is" >&2
    exit 1
}
queued=$(printf '%s\n' "$status" | sed -n 's/^{"type":"tally","queued":\([0-9]*\),.*/\1/p')
busy=$(printf '%s\n' "$status" | grep '^{"type":"account",' | grep '"parked":null' | grep -c '"waiting":[1-9]') || busy=0
current=$(kubectl get deployment "$DEPLOYMENT" -o 'jsonpath={.spec.replicas}')
case ${queued:-x}${current:-x} in
    *[!0-9]*) echo "scale: no tally or no replicas in the answers; the number of workers stays as it is" >&2; exit 1 ;;
esac

up() { echo $((($1 + $2 - 1) / $2)); }
want=$(up "$queued" "$PER_WORKER")
useful=$(up "$busy" "$ACCOUNTS_PER_WORKER")
[ "$useful" -ge "$want" ] || want=$useful
# Down by one at a time: a queue that empties for a moment is no reason to let all go.
[ "$want" -ge "$current" ] || want=$((current - 1))
[ "$want" -ge "$MIN" ] || want=$MIN
[ "$want" -le "$MAX" ] || want=$MAX

echo "scale: $queued queued, $busy busy accounts, $current workers, $want wanted"
[ "$want" = "$current" ] || [ -n "$DRY_RUN" ] || kubectl scale "deployment/$DEPLOYMENT" --replicas="$want"
