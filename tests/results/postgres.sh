#!/usr/bin/env bash
# A PostgreSQL on this machine with an empty database of the name chggen, for `make test-postgres`: as root on Debian.
set -eu
command -v pg_ctlcluster >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends postgresql; }
read -r version cluster _ < <(pg_lsclusters --no-header)
pg_ctlcluster "$version" "$cluster" start 2>/dev/null || true
for _ in $(seq 40); do
    runuser -u postgres -- pg_isready -q && break
    sleep 0.5
done
as_owner() { runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 "$@"; }
as_owner -tc "select 1 from pg_roles where rolname = 'chggen'" | grep -q 1 || as_owner -c "create role chggen login"
as_owner -c "alter role chggen password 'chggen'" -c "drop database if exists chggen" -c "create database chggen owner chggen"
