#!/bin/sh
# Runs a command with the database's password, of the file that PASSWORD_FILE names, in the file that PGPASSFILE names. libpq
# refuses a password file that others may read, as a mounted secret is; an environment variable would be inherited and shown.
set -eu
if [ -n "${PASSWORD_FILE:-}" ]; then
  umask 077
  rm -f "$PGPASSFILE"
  # libpq reads a colon or a backslash behind a backslash.
  printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' "$PASSWORD_FILE")" > "$PGPASSFILE"
fi
exec "$@"
