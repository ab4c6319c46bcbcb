# Installed as pyspark/conf/spark-env.sh, which Spark's launchers source: a spark-submit of this
# environment runs its Python, finds its Java whatever the PATH says, and keeps Spark's chatter off the terminal.
# (-P: SPARK_HOME may be the link that set-up puts beside spark-submit.)
landbridge_venv=$(cd -P "${SPARK_HOME}/../../../.." && pwd)
PYSPARK_PYTHON=${PYSPARK_PYTHON:-${landbridge_venv}/bin/python}

# Set-up made java-home because it found no Java that runs Spark 4; one that JAVA_HOME names since
# then goes first, unless it is older than 17 (1.8, or 9 to 16).
if [ -x "${landbridge_venv}/java-home/bin/java" ]; then
    if [ -z "${JAVA_HOME:-}" ] || grep -qsE '^JAVA_VERSION="(1\.|9|1[0-6])' "${JAVA_HOME}/release"; then
        JAVA_HOME=${landbridge_venv}/java-home
    fi
fi
unset landbridge_venv

# The driver's log4j writes to a file (see deploy/log4j2.properties). What the caller gives comes later and wins.
SPARK_SUBMIT_OPTS="-Dlog4j2.configurationFile=\"${SPARK_HOME}/conf/log4j2-driver.properties\" ${SPARK_SUBMIT_OPTS:-}"
