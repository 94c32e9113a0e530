"""The Kubernetes manifests, without a cluster: against the schemas, and against our own commands."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from datagen_server.shards.manifest import Plan
from shared.client.channel import split_target
from shared.dataset.spec import DEFAULT_COUNTS, Dataset, DatasetSpec
from shared.protocol.contract import SERVICE
from tests.deploy.commands import parse, words_of_script
from tests.deploy.engine import CHECKOUT

Manifest = Mapping[str, Any]
FOLDER = CHECKOUT / ".kubernetes"
OBJECTS: Mapping[str, Manifest] = {
    f"{manifest['kind']}/{manifest['metadata']['name']}": manifest
    for file in sorted(FOLDER.glob("*.yaml"))
    for manifest in yaml.safe_load_all(file.read_text())
    if file.name != "kustomization.yaml"
}
PODS = {
    name: manifest["spec"]["template"] for name, manifest in OBJECTS.items() if "template" in manifest.get("spec", {})
}
PACKAGES = {"captcha-datagen": {"datagen_server"}, "captcha-trainer": {"trainer", "evaluator"}}


MERGE_KEYS = {"containers": "name", "volumes": "name", "volumeMounts": "mountPath"}


def merged(base: Any, patch: Any, field: str = "") -> Any:
    """A strategic merge, as `kubectl apply -k` does it: lists of objects by their key, null removes."""
    if isinstance(base, Mapping) and isinstance(patch, Mapping):
        both = {**base, **{key: merged(base.get(key), value, key) for key, value in patch.items()}}
        return {key: value for key, value in both.items() if value is not None}
    if isinstance(base, list) and (key := MERGE_KEYS.get(field)):
        patches = {item[key]: item for item in patch}
        kept = [merged(item, patches.pop(item[key])) if item[key] in patches else item for item in base]
        return [*kept, *patches.values()]
    return {name: value for name, value in patch.items() if value is not None} if isinstance(patch, Mapping) else patch


def secured() -> Mapping[str, Manifest]:
    """The objects that tls/ changes, as the cluster gets them."""
    patches = [yaml.safe_load((FOLDER / "tls" / name).read_text()) for name in ("datagen.yaml", "train.yaml")]
    names = [f"{patch['kind']}/{patch['metadata']['name']}" for patch in patches]
    return {name: merged(OBJECTS[name], patch) for name, patch in zip(names, patches, strict=True)}


def container_of(name: str) -> Manifest:
    (container,) = PODS[name]["spec"]["containers"]
    return dict(container)


def words_of(name: str, folder: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    """What a pod gives to `python -m`."""
    container = container_of(name)
    if "args" in container:  # The entry point of the data image is the package itself.
        return ["datagen_server", *container["args"]]
    shell, options, script = container["command"]
    assert (shell, options) == ("sh", "-ec")
    return [*words_of_script(script, folder, environment or {})]


@pytest.mark.parametrize("version", ["1.31", "1.37"])
@pytest.mark.parametrize("name", OBJECTS)
def test_each_manifest_keeps_the_schema(name: str, version: str) -> None:
    kubernetes_validate.validate(dict(OBJECTS[name]), version, strict=True)


def test_a_mistyped_key_is_no_part_of_the_schema() -> None:
    service = OBJECTS["Service/datagen"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**service, "spec": {**service["spec"], "clusterIp": None}}, "1.31", strict=True)


@pytest.mark.parametrize("name", PODS)
def test_each_pod_is_as_restricted_as_its_namespace_demands(name: str) -> None:
    pod = PODS[name]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container_of(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container_of(name)["resources"]["requests"].keys()


@pytest.mark.parametrize("name", PODS)
def test_each_command_is_one_of_ours_and_its_image_has_it(name: str, tmp_path: Path) -> None:
    words = words_of(name, tmp_path, {"JOB_COMPLETION_INDEX": "0"})
    parse(words)
    assert words[0] in PACKAGES[container_of(name)["image"]]


@pytest.mark.parametrize("name", PODS)
def test_each_mount_has_its_volume(name: str) -> None:
    spec = PODS[name]["spec"]
    assert {mount["name"] for mount in container_of(name)["volumeMounts"]} == {
        volume["name"] for volume in spec["volumes"]
    }
    for claim in (volume["persistentVolumeClaim"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume):
        assert f"PersistentVolumeClaim/{claim['claimName']}" in OBJECTS


def test_port_probes_service_and_target_mean_the_same_server(tmp_path: Path) -> None:
    port = int(parse(words_of("Deployment/datagen", tmp_path)).listen.rpartition(":")[2])
    container = container_of("Deployment/datagen")
    assert {place["name"]: place["containerPort"] for place in container["ports"]}["grpc"] == port
    probes = [container[f"{kind}Probe"]["grpc"] for kind in ("startup", "readiness", "liveness")]
    assert [(probe["port"], probe.get("service")) for probe in probes] == [
        (port, SERVICE),
        (port, SERVICE),
        (port, None),
    ]
    service = OBJECTS["Service/datagen"]
    assert (service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"]) == ("None", port)
    assert service["spec"]["selector"].items() <= PODS["Deployment/datagen"]["metadata"]["labels"].items()
    target = parse(words_of("Job/train", tmp_path)).datagen
    assert target == f"dns:///datagen.{service['metadata']['namespace']}.svc:{port}"
    assert split_target(target) == [target]


def test_metrics_are_where_prometheus_is_told(tmp_path: Path) -> None:
    listen = parse(words_of("Deployment/datagen", tmp_path)).metrics_listen
    told = PODS["Deployment/datagen"]["metadata"]["annotations"]["prometheus.io/port"]
    ports = {place["name"]: place["containerPort"] for place in container_of("Deployment/datagen")["ports"]}
    assert listen.rpartition(":")[2] == told == str(ports["metrics"])


def test_the_network_policy_lets_the_trainer_in() -> None:
    rule, _ = OBJECTS["NetworkPolicy/datagen"]["spec"]["ingress"]
    (peer,) = rule["from"]
    assert rule["ports"] == [{"port": "grpc"}]
    assert peer["podSelector"]["matchLabels"].items() <= PODS["Job/train"]["metadata"]["labels"].items()


def test_rendering_processes_fit_the_cores_that_are_asked_for(tmp_path: Path) -> None:
    for name in ("Deployment/datagen", "Job/materialize"):
        workers = parse(words_of(name, tmp_path, {"JOB_COMPLETION_INDEX": "0"})).workers
        assert container_of(name)["resources"]["requests"]["cpu"] == str(workers)


def test_the_pods_of_materialize_make_each_shard_once(tmp_path: Path) -> None:
    dataset = Dataset(spec=DatasetSpec(seed=0), counts=DEFAULT_COUNTS, fingerprint="0" * 64)
    job = OBJECTS["Job/materialize"]["spec"]
    ranges = [
        parse(words_of("Job/materialize", tmp_path, {"JOB_COMPLETION_INDEX": str(index)})).shard_range
        for index in range(job["completions"])
    ]
    assert job["completionMode"] == "Indexed"
    assert [*chain(*ranges)] == [*range(len(Plan(dataset=dataset).shards))]


def test_a_training_pod_that_starts_again_resumes(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    script = container_of("Job/train")["command"][2].replace("/runs/", f"{tmp_path}/")
    assert not parse(words_of_script(script, tmp_path, {})).resume
    (tmp_path / "run" / "config.yaml").touch()
    assert parse(words_of_script(script, tmp_path, {})).resume


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_the_variant_with_tls_keeps_the_schema(version: str) -> None:
    for manifest in secured().values():
        kubernetes_validate.validate(dict(manifest), version, strict=True)


def test_the_variant_with_tls_is_made_of_files_that_are_there() -> None:
    overlay = yaml.safe_load((FOLDER / "tls" / "kustomization.yaml").read_text())
    base = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert all((FOLDER / name).is_file() for name in base["resources"])
    assert {patch["path"] for patch in overlay["patches"]} == {"datagen.yaml", "train.yaml"}


def test_with_tls_service_probes_and_trainer_use_the_same_secret(tmp_path: Path) -> None:
    deployment, job = (found["spec"]["template"]["spec"] for found in secured().values())
    (datagen,), (train,) = deployment["containers"], job["containers"]
    served = parse(["datagen_server", *datagen["args"]])
    assert served.tls_client_ca
    trained = parse([*words_of_script(train["command"][2], tmp_path, {})])
    assert (trained.token_file, trained.tls_ca) == (served.token_file, served.tls_client_ca)
    for kind in ("startup", "readiness", "liveness"):
        probe = datagen[f"{kind}Probe"]
        assert "grpc" not in probe
        assert parse(probe["exec"]["command"][2:]).tls_cert == trained.tls_cert
    for pod, container in ((deployment, datagen), (job, train)):
        assert {mount["name"] for mount in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}


def test_a_training_pod_offers_metrics_where_prometheus_is_told(tmp_path: Path) -> None:
    listen = parse(words_of("Job/train", tmp_path)).metrics_listen
    told = PODS["Job/train"]["metadata"]["annotations"]["prometheus.io/port"]
    assert listen.rpartition(":")[2] == told == str(container_of("Job/train")["ports"][0]["containerPort"])
