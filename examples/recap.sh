#!/usr/bin/env bash
# Upload a recording, wait for its job and print the recap: recap.sh FILE [URL]
set -euo pipefail
file=$1 url=${2:-http://127.0.0.1:8000}

value() { # of a name in the JSON on standard input
    python3 -c 'import json, sys; found = json.load(sys.stdin)
for name in sys.argv[1:]: found = found[name]
print(found)' "$@"
}

job=$(curl -sSf -F "file=@$file" "$url/v1/conversations" | value id)
state=queued
while [ "$state" = queued ] || [ "$state" = in_progress ]; do
    answer=$(curl -sSf -H 'Prefer: wait=20' "$url/v1/jobs/$job")
    state=$(value status <<<"$answer")
done
[ "$state" = completed ] || { value error detail <<<"$answer" >&2; exit 1; }
curl -sSf "$url/v1/recaps/$(value result recap_id <<<"$answer")?format=md"
