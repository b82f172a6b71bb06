#!/bin/sh
# Patroni in a container, and beside it what kills PostgreSQL when its disk stands still.
set -eu
PATRONI_SUPERUSER_PASSWORD=$(cat /run/secrets/superuser_password)
PATRONI_REPLICATION_PASSWORD=$PATRONI_SUPERUSER_PASSWORD
PATRONI_POSTGRESQL_BIN_DIR=$(dirname "$(command -v postgres || ls /usr/lib/postgresql/17/bin/postgres)")
export PATRONI_SUPERUSER_PASSWORD PATRONI_REPLICATION_PASSWORD PATRONI_POSTGRESQL_BIN_DIR
python3 /etc/hyperpulse/disk_check.py "$PATRONI_POSTGRESQL_DATA_DIR" &
exec patroni /etc/hyperpulse/patroni.yml
