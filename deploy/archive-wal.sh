#!/bin/sh
# Archives a segment of the write-ahead log, so that it is there whole, once, and on the disk before PostgreSQL removes its own:
#
#   archive_command = 'sh /etc/hyperpulse/archive-wal.sh "%p" "/backup/wal/%f"'
set -eu
umask 077
from=$1 to=$2
if [ -e "$to" ]; then
  # Archived before a crash, and again after it. Another file of that name is another server's.
  cmp -s "$from" "$to" && exit 0
  echo "archive-wal: $to exists, and is not $from: does another server archive there?" >&2
  exit 1
fi
cp "$from" "$to.part"
sync "$to.part"
mv "$to.part" "$to"
sync "$(dirname "$to")"
