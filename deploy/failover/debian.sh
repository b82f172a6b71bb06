#!/bin/sh
# Makes this Debian machine one of the hosts of a database that fails over (docs/failover.md): run it as root on each of them, at about
# the same time, since none starts without a majority.
#
#   NAME=db1 ADDRESS=10.0.0.1 HOSTS="db1=10.0.0.1 db2=10.0.0.2 db3=10.0.0.3" PASSWORDS=/root/passwords sh deploy/failover/debian.sh
#
# PASSWORDS names a directory with the files superuser and replication, the same on all hosts. Debian 13; TimescaleDB with its
# Community module comes from the repository of Timescale, which has to be set up before.
set -eu
: "${NAME:?the name of this host}" "${ADDRESS:?its address}" "${HOSTS:?all hosts, as NAME=ADDRESS}" "${PASSWORDS:?the directory of the passwords}"
here=$(dirname "$(readlink -f "$0")")
version=${PG_VERSION:-17}
bin=/usr/lib/postgresql/$version/bin
data=/var/lib/postgresql/$version/hyperpulse

clients='' peers=''
for host in $HOSTS; do
  clients=$clients${clients:+,}${host#*=}:2379
  peers=$peers${peers:+,}${host%%=*}=http://${host#*=}:2380
done

# No cluster of Debian's own, which would take the port.
install -d /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
apt-get update
# Patroni speaks to etcd by python3-etcd; apt would be content with what it speaks to others by.
apt-get install --yes --no-install-recommends etcd-server patroni python3-etcd "postgresql-$version" "timescaledb-2-postgresql-$version"
test -e "$bin/postgres"

cat > /etc/default/etcd <<END
ETCD_NAME=$NAME
ETCD_DATA_DIR=/var/lib/etcd/hyperpulse
ETCD_LISTEN_CLIENT_URLS=http://$ADDRESS:2379
ETCD_ADVERTISE_CLIENT_URLS=http://$ADDRESS:2379
ETCD_LISTEN_PEER_URLS=http://$ADDRESS:2380
ETCD_INITIAL_ADVERTISE_PEER_URLS=http://$ADDRESS:2380
ETCD_INITIAL_CLUSTER=$peers
ETCD_INITIAL_CLUSTER_STATE=new
END

install -d -o postgres -g postgres /etc/hyperpulse-patroni
install -m 0644 "$here/patroni.yml" "$here/disk_check.py" /etc/hyperpulse-patroni/
umask 077
cat > /etc/hyperpulse-patroni/environment <<END
PATRONI_NAME=$NAME
PATRONI_ETCD3_HOSTS=$clients
PATRONI_RESTAPI_LISTEN=$ADDRESS:8008
PATRONI_RESTAPI_CONNECT_ADDRESS=$ADDRESS:8008
PATRONI_POSTGRESQL_LISTEN=$ADDRESS,127.0.0.1:5432
PATRONI_POSTGRESQL_CONNECT_ADDRESS=$ADDRESS:5432
PATRONI_POSTGRESQL_DATA_DIR=$data
PATRONI_POSTGRESQL_BIN_DIR=$bin
PATRONI_POSTGRESQL_PGPASS=/run/hyperpulse-patroni/pgpass
PATRONI_SUPERUSER_USERNAME=postgres
PATRONI_SUPERUSER_PASSWORD=$(cat "$PASSWORDS/superuser")
PATRONI_REPLICATION_USERNAME=replicator
PATRONI_REPLICATION_PASSWORD=$(cat "$PASSWORDS/replication")
END
umask 022

cat > /etc/systemd/system/hyperpulse-patroni.service <<END
[Unit]
Description=Patroni, for the database of Hyperpulse
After=network-online.target etcd.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
User=postgres
Group=postgres
EnvironmentFile=/etc/hyperpulse-patroni/environment
RuntimeDirectory=hyperpulse-patroni
ExecStart=/usr/bin/patroni /etc/hyperpulse-patroni/patroni.yml
ExecReload=/bin/kill -s HUP \$MAINPID
# PostgreSQL is Patroni's to stop.
KillMode=process
TimeoutStopSec=60
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
END
cat > /etc/systemd/system/hyperpulse-disk-check.service <<END
[Unit]
Description=Kills a PostgreSQL whose disk stands still
After=hyperpulse-patroni.service

[Service]
User=postgres
Group=postgres
ExecStart=/usr/bin/python3 /etc/hyperpulse-patroni/disk_check.py $data
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
END
# The watchdog resets a host that hangs as a whole; without one, Patroni goes on without.
echo softdog > /etc/modules-load.d/hyperpulse-softdog.conf
echo 'KERNEL=="watchdog", OWNER="postgres"' > /etc/udev/rules.d/60-hyperpulse-watchdog.rules
modprobe softdog || echo 'there is no softdog: Patroni runs without a watchdog' >&2

systemctl daemon-reload
systemctl disable --now patroni 2>/dev/null || :
systemctl enable --now etcd
systemctl restart etcd
systemctl enable --now hyperpulse-patroni hyperpulse-disk-check
echo "patronictl: patronictl -c /etc/hyperpulse-patroni/patroni.yml -d etcd3://$ADDRESS:2379 list"
