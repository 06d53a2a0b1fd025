#!/bin/sh
# Sends requests to ADDRESS while COMMAND runs and some seconds longer, ten a second at most. Tells who answered and what
# was lost.
#   sh ask.sh ADDRESS 'COMMAND'
address=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

ask() {
  curl -sf -m 2 "$address" > "$folder/answer" && sed -n 's/^Version: //p' "$folder/answer" >> "$folder/versions"
}

tries=0
until ask; do # Silence proves nothing where nobody has answered before.
  if [ "$((tries += 1))" -eq 20 ]; then
    echo "nobody answers at $address, before anything has happened"
    exit 1
  fi
  sleep 0.5
done

while [ ! -e "$folder/end" ]; do
  if ask; then
    since=
  else
    since=${since:-$(date +%s)}
    echo $(($(date +%s) - since + 1)) >> "$folder/lost"
  fi
  sleep 0.1
done &
eval "$2"
sleep 6 # Pods that are told to end may go on for a while.
touch "$folder/end"
wait
echo "answered: $(sort -u "$folder/versions" | xargs)"
if [ -e "$folder/lost" ]; then
  echo "requests were lost, at worst for $(sort -n "$folder/lost" | tail -n 1)s"
else
  echo "no request was lost"
fi
