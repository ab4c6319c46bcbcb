"""What deploy/ holds names commands, files and settings that exist, and its cluster runs a job.

Airflow is not among the test's packages. The DAG was loaded once by Airflow 3.3.2 in an environment
of its own (`DagBag(folder).import_errors == {}`); here its source is read.
"""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
STEPS = ["clean", "featurize", "pretrain", "finetune", "evaluate", "recommend", "report"]

DELTA_JOB = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
spark.range(30).selectExpr("id", "id % 3 as day").write.format("delta").partitionBy("day").save(sys.argv[1])
one_day = spark.range(5).selectExpr("id", "0L as day")
one_day.write.format("delta").mode("overwrite").option("replaceWhere", "day = 0").save(sys.argv[1])
print("rows:", spark.read.format("delta").load(sys.argv[1]).count(), spark.sparkContext.master)
"""


def submit(tmp_path, *arguments):
    """Run the job above through a plain spark-submit of this environment; what it printed."""
    job = tmp_path / "job.py"
    job.write_text(DELTA_JOB)
    defaults = ["--properties-file", str(DEPLOY / "spark-defaults.conf")]
    command = [str(BIN / "spark-submit"), *arguments, *defaults, str(job), str(tmp_path / "table")]
    return run(command, LANDBRIDGE_SPARK_LOG=str(tmp_path / "spark.log")).stdout


def run(command, **environment):
    """Run a command as somebody does who has activated the environment."""
    path = {"PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home()), **environment}
    done = subprocess.run(command, env=path, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def cli_parses(words):
    """Whether the command line's parser knows the sub-command and every option; nothing is run."""
    from landbridge.pipeline.cli import cli

    assert Path(words[0]).name == "landbridge"
    with cli.make_context("landbridge", list(words[1:])) as context:
        name, command, rest = cli.resolve_command(context, list(words[1:]))
        return command is not None and command.make_context(name, rest, parent=context) is not None


def test_spark_defaults_set_known_names_once():
    lines = (DEPLOY / "spark-defaults.conf").read_text().splitlines()
    settings = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    names = [setting[0] for setting in settings]
    assert len(names) == len(set(names))
    assert all(len(setting) == 2 and re.fullmatch(r"spark\.[A-Za-z._]+", setting[0]) for setting in settings)


@pytest.mark.system
def test_a_plain_spark_submit_writes_and_reads_delta(tmp_path):
    assert "rows: 25 local[1]" in submit(tmp_path, "--master", "local[1]")


@pytest.mark.system
def test_the_local_cluster_starts_runs_a_job_and_stops(tmp_path):
    cluster = str(DEPLOY / "local_cluster.sh")
    if not (ROOT / ".venv").exists():
        pytest.skip("there is no .venv in this checkout")
    settings = {"PORT": "17077", "UI_PORT": "18080", "MEMORY": "1g", "CLUSTER_DIR": str(tmp_path / "cluster")}
    address = run([cluster, "start"], **settings).stdout.strip()
    try:
        assert address == "spark://127.0.0.1:17077"
        assert run([cluster, "start"], **settings).stdout.strip() == f"{address} (runs already)"
        assert run([cluster, "status"], **settings).stdout == "master: runs\nworker: runs\n"
        assert f"rows: 25 {address}" in submit(tmp_path, "--master", address, "--conf", "spark.driver.host=127.0.0.1")
    finally:
        run([cluster, "stop"], **settings)
    assert run([cluster, "status"], **settings).stdout == "master: does not run\nworker: does not run\n"


def test_the_cluster_script_explains_itself():
    done = subprocess.run([DEPLOY / "local_cluster.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "local_cluster.sh start" in done.stdout


def cron_commands():
    lines = (DEPLOY / "landbridge.cron").read_text().splitlines()
    return [line.split(None, 5) for line in lines if re.match(r"[\d*]", line)]


def test_cron_runs_a_nightly_that_the_cli_knows():
    assert cron_commands()
    for *when, command in cron_commands():
        assert len(when) == 5
        assert not re.search(r"(?<!\\)%", command)  # cron would cut the command there
        command = command.replace("\\%", "%").split(">>")[0]
        nightly = shlex.split(command.split("&&")[-1].replace('"$(date -u -d yesterday +%F)"', "2011-11-30"))
        assert (ROOT / nightly[nightly.index("--conf") + 1]).is_file()
        assert cli_parses(nightly)


def test_the_date_of_cron_is_a_date():
    (command,) = {re.search(r"\$\((date .*?)\)", row[5]).group(1).replace("\\%", "%") for row in cron_commands()}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\n", run(shlex.split(command)).stdout)


def test_the_dag_runs_each_step_in_order_with_commands_that_the_cli_knows():
    tree = ast.parse((DEPLOY / "airflow_dag.py").read_text())
    constants = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(constants["STEPS"]) == STEPS
    (template,) = [
        keyword.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "bash_command"
    ]
    # CONF and PROFILE are environment lookups: their default stands last in the call.
    values = {name: constants[name].args[1].value for name in ["CONF", "PROFILE"]}
    assert (ROOT / values["CONF"]).is_file()
    assert (ROOT / "conf/profiles" / f"{values['PROFILE']}.yaml").is_file()
    for step in STEPS:
        written = eval(compile(ast.Expression(template), "dag", "eval"), {**values, "DS": "2011-11-30", "step": step})
        assert cli_parses(shlex.split(written))


def test_the_image_copies_files_that_exist_and_starts_our_command():
    text = (DEPLOY / "Dockerfile").read_text()
    copies = re.findall(r"^COPY (?!--from)(?:--chown=\S+ )?(.+)$", text, re.MULTILINE)
    sources = [source for copy in copies for source in copy.split()[:-1]]
    assert len(sources) > 5
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert 'ENTRYPOINT ["landbridge"]' in text
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"^RUN make (\S+)", text, re.MULTILINE)) <= set(targets)
    # What the set-up needs must be in the image before it runs.
    for needed in ["pyproject.toml", "requirements.lock", ".ci", "deploy/log4j2.properties", "lib"]:
        assert text.index(f" {needed} ") < text.index("RUN make setup")


def test_every_configuration_is_proper_yaml():
    files = [*ROOT.glob("conf/**/*.yaml"), *DEPLOY.rglob("*.yaml")]
    assert files
    for path in files:
        yaml.safe_load(path.read_text())
    rules = "{extends: relaxed, rules: {line-length: {max: 200}, comments: disable, braces: disable}}"
    run([str(BIN / "yamllint"), "-d", rules, *map(str, files)])
