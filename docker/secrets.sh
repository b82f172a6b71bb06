#!/bin/sh
# Makes a random password for each role of the database and for Grafana, where there is none yet: sh docker/secrets.sh
set -eu
checkout=$(dirname "$0")/..
folder=$checkout/.secrets
mkdir -p "$folder"
# Containers read the files as users of their own; the folder keeps other users of this machine out.
chmod 700 "$folder"
umask 022
for whose in superuser owner web grafana_admin; do
  file=$folder/${whose}_password
  [ -s "$file" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$file"
done
# Nor could they read what is mounted of a checkout that is for its owner only.
chmod -R a+rX "$checkout/docker" "$checkout/deploy"
