# Installed as pyspark/conf/spark-env.sh, which Spark's launchers source: a spark-submit of this
# environment runs its Python and finds its Java, whatever the PATH says.
landbridge_venv=$(cd "${SPARK_HOME}/../../../.." && pwd)
PYSPARK_PYTHON=${PYSPARK_PYTHON:-${landbridge_venv}/bin/python}

# Set-up made java-home because it found no Java that runs Spark 4; one that JAVA_HOME names since
# then goes first, unless it is older than 17 (1.8, or 9 to 16).
if [ -x "${landbridge_venv}/java-home/bin/java" ]; then
    if [ -z "${JAVA_HOME:-}" ] || grep -qsE '^JAVA_VERSION="(1\.|9|1[0-6])' "${JAVA_HOME}/release"; then
        JAVA_HOME=${landbridge_venv}/java-home
    fi
fi
unset landbridge_venv
