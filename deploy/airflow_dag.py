"""The nightly as an Airflow DAG: one task a step, each in a Spark application of its own.

Copy this file into Airflow's folder of DAGs. Airflow has its own environment; the tasks call the
`landbridge` of the checkout in LANDBRIDGE_HOME. A task that is tried again resumes: what the ledger
says is done is skipped, so tasks may also be cleared by hand in any order.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow.timetables.trigger import CronTriggerTimetable

HOME = os.environ.get("LANDBRIDGE_HOME", "/opt/landbridge")
CONF = os.environ.get("LANDBRIDGE_CONF", "conf/online_retail.yaml")
PROFILE = os.environ.get("LANDBRIDGE_PROFILE", "local")
STEPS = ["clean", "featurize", "pretrain", "finetune", "evaluate", "recommend", "report"]

# The run at 03:15 is for the day before, whose logs are complete by then.
DS = "{{ macros.ds_add(ds, -1) }}"

with DAG(
    dag_id="landbridge_nightly",
    schedule=CronTriggerTimetable("15 3 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # landbridge backfill --from D1 --to D2 loads many days in one job
    max_active_runs=1,  # one writer a lake
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10), "execution_timeout": timedelta(hours=6)},
    tags=["recommendation"],
) as dag:
    previous: BashOperator | None = None
    for step in STEPS:
        task = BashOperator(
            task_id=step,
            bash_command=f".venv/bin/landbridge {step} --conf {CONF} --profile {PROFILE} --ds {DS}",
            cwd=HOME,
        )
        if previous is not None:
            previous >> task
        previous = task
