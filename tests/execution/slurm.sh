#!/usr/bin/env bash
# A SLURM of two nodes on this machine, for `make test-slurm`: as root on Debian, `slurm.sh start` and `slurm.sh stop`.
set -eu
host=$(hostname -s)
state=/var/spool/chggen-slurm

start() {
    command -v slurmctld munged >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends slurm-wlm munge; }
    if sinfo --noheader >/dev/null 2>&1; then
        return # one is up already
    fi
    mkdir -p "$state" /run/munge
    chown munge: /run/munge
    pgrep -x munged >/dev/null || runuser -u munge -- munged
    grep -q "[[:space:]]$host\b" /etc/hosts || echo "127.0.0.1 $host" >>/etc/hosts
    {
        printf '%s\n' ClusterName=chggen "SlurmctldHost=$host(127.0.0.1)" SlurmUser=root AuthType=auth/munge \
            ProctrackType=proctrack/pgid TaskPlugin=task/none SelectType=select/cons_tres \
            SelectTypeParameters=CR_Core ReturnToService=2 "StateSaveLocation=$state" "SlurmdSpoolDir=$state/%n" \
            "SlurmctldPidFile=$state/ctld.pid" "SlurmdPidFile=$state/%n.pid" "SlurmctldLogFile=$state/ctld.log" \
            "SlurmdLogFile=$state/%n.log"
        for node in 1 2; do
            echo "NodeName=n$node NodeHostname=$host NodeAddr=127.0.0.1 Port=1700$node CPUs=1 State=UNKNOWN"
        done
        echo "PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP"
    } >/etc/slurm/slurm.conf
    slurmctld
    slurmd -N n1
    slurmd -N n2
    for _ in $(seq 60); do
        sinfo --noheader --states=idle --format=%D | grep -q 2 && return
        sleep 0.5
    done
    sinfo
    exit 1
}

stop() {
    scontrol shutdown || true
}

"${1:?expected start or stop}"
