#!/usr/bin/env bash
# A real standalone Spark cluster on this machine, out of pip's pyspark: one master, one worker.
# Everything listens on 127.0.0.1 alone.
#
#   deploy/local_cluster.sh start     prints the address for spark-submit --master
#   deploy/local_cluster.sh status
#   deploy/local_cluster.sh stop
#
# PORT (7077), UI_PORT (8080), CORES (2), MEMORY (2g) and CLUSTER_DIR (var/cluster) can be set.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${PORT:-7077}
ui_port=${UI_PORT:-8080}
folder=${CLUSTER_DIR:-$PWD/var/cluster}
address=spark://127.0.0.1:$port
[ -x .venv/bin/spark-submit ] || { echo "There is no .venv here: run make setup first." >&2; exit 1; }
export PATH=$PWD/.venv/bin:$PATH SPARK_LOCAL_IP=127.0.0.1 SPARK_WORKER_DIR=$folder/work
export PYSPARK_PYTHON=$PWD/.venv/bin/python SPARK_MASTER_OPTS=-Dspark.master.rest.enabled=false

is_alive() { [ -f "$folder/$1.pid" ] && kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null; }

# launch NAME CLASS ARGUMENT...
launch() {
    local name=$1
    shift
    nohup spark-class "$@" >"$folder/$name.log" 2>&1 </dev/null &
    echo $! >"$folder/$name.pid"
}

# wait_for NAME SENTENCE: until the log of NAME has SENTENCE
wait_for() {
    local second
    for second in $(seq 60); do
        if grep -q "$2" "$folder/$1.log"; then return; fi
        is_alive "$1" || break
        sleep 0.5
    done
    echo "The $1 did not start within 30 s; its last lines (all of them in $folder/$1.log):" >&2
    tail -n 5 "$folder/$1.log" >&2
    stop
    exit 1
}

start() {
    if is_alive master; then echo "$address (runs already)"; return; fi
    mkdir -p "$folder"
    launch master org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$port" --webui-port "$ui_port"
    wait_for master "I have been elected leader"
    launch worker org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --cores "${CORES:-2}" \
        --memory "${MEMORY:-2g}" --webui-port $((ui_port + 1)) "$address"
    wait_for worker "Successfully registered with master"
    echo "$address"
}

stop() {
    local name second
    for name in worker master; do
        if is_alive "$name"; then
            kill "$(cat "$folder/$name.pid")"
            for second in $(seq 40); do is_alive "$name" || break; sleep 0.25; done
        fi
        rm -f "$folder/$name.pid"
    done
}

status() {
    local name
    for name in master worker; do
        if is_alive "$name"; then echo "$name: runs"; else echo "$name: does not run"; fi
    done
}

case "${1:-}" in
    start | stop | status) "$1" ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
