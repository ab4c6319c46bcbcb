# Installed as pyspark/conf/spark-env.sh, which Spark's launchers source: a spark-submit of this
# environment runs its Python and finds its Java, whatever the PATH says.
landbridge_venv=$(cd "${SPARK_HOME}/../../../.." && pwd)
PYSPARK_PYTHON=${PYSPARK_PYTHON:-${landbridge_venv}/bin/python}

# Java older than 17 cannot run Spark 4: 1.8, 9 to 16.
if [ ! -x "${JAVA_HOME:-}/bin/java" ] || grep -qsE '^JAVA_VERSION="(1\.|9|1[0-6])' "${JAVA_HOME}/release"; then
    [ ! -x "${landbridge_venv}/java-home/bin/java" ] || JAVA_HOME=${landbridge_venv}/java-home
fi
unset landbridge_venv
