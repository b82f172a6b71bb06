#!/bin/sh
# Makes the roles of the database: at its creation, and for one that is there already by
#   docker compose exec db sh /docker-entrypoint-initdb.d/100-roles.sh
#
# One command: the image may run this within its own shell, where neither exec nor set would end with it.
psql --no-psqlrc --quiet --username postgres --dbname postgres --file /etc/hyperpulse/roles.sql
