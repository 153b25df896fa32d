"""The manifests agree with the code, with the production file and with one another."""

import re
from pathlib import Path
from typing import Any

import pytest

from serve_app.protection.exposure import HAPROXY, PROTECTION, door_limits
from serve_app.settings.serve_file import load_config
from tests.manifests import DEPLOY, Manifest, kustomization, of_kind, pod_templates, ray_groups

ROOT = Path(__file__).parents[3]
CONFIG = load_config(ROOT / "serve_config.gpu.yaml")
IMAGE = (ROOT / "Dockerfile").read_text()
RAY_PODS = ["head", "cpu", "gpu"]
COMPONENT = "app.kubernetes.io/component"
HOME_OF = {
    "Ingress": "cpu",
    "JobWorker": "cpu",
    "Reader": "cpu",
    "Diarizer": "cpu",
    "Transcriber": "gpu",
    "LanguageModel": "gpu",
    "Embedder": "gpu",
}
MEBIBYTES = {"Gi": 1024, "Mi": 1}


def environment() -> dict[str, str]:
    lines = (DEPLOY / "ray.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def containers() -> list[tuple[str, Manifest]]:
    return [(component, one) for component, template in pod_templates().items() for one in template["spec"]["containers"]]


def mounted(template: Manifest) -> dict[str, Manifest]:
    """Volumes of a pod by where its only container mounts them."""
    volumes = {volume["name"]: volume for volume in template["spec"].get("volumes", [])}
    (container,) = template["spec"]["containers"]
    return {mount["mountPath"]: volumes.get(mount["name"], {}) for mount in container["volumeMounts"]}


def test_ray_gets_the_environment_without_which_the_service_refuses_to_start() -> None:
    (service,) = of_kind("RayService")
    found = environment()
    assert service["spec"]["rayClusterConfig"]["authOptions"]["mode"] == PROTECTION["RAY_AUTH_MODE"][0]
    for name, (value, _) in PROTECTION.items():
        assert name == "RAY_AUTH_MODE" or found[name] == value
    assert Path(found[HAPROXY]).name == "wordloop-haproxy"
    for name, value in door_limits(CONFIG.settings.http).variables().items():
        assert found[name] == value
    for template in (pod_templates()[component] for component in RAY_PODS):
        assert template["spec"]["containers"][0]["envFrom"] == [{"configMapRef": {"name": "wordloop-ray-environment"}}]


def test_the_production_file_is_what_the_service_gets_and_its_folders_are_mounted() -> None:
    made = kustomization()
    (replacement,) = made["replacements"]
    assert replacement["targets"] == [{"select": {"kind": "RayService"}, "fieldPaths": ["spec.serveConfigV2"]}]
    assert {"name": "wordloop-serve-config", "files": ["../serve_config.gpu.yaml"]} in made["configMapGenerator"]
    claims = {one["metadata"]["name"]: one["spec"]["accessModes"] for one in of_kind("PersistentVolumeClaim")}
    for component in RAY_PODS:
        places = mounted(pod_templates()[component])
        for place in (str(CONFIG.settings.data_dir), environment()["WORDLOOP_CACHE_DIR"]):
            assert claims[places[place]["persistentVolumeClaim"]["claimName"]] == ["ReadWriteMany"]
    for name in ("WORDLOOP_DATA_DIR", "WORDLOOP_CACHE_DIR"):
        assert f"{name}={environment()[name]}" in IMAGE


KUBERAY: dict[tuple[str, ...], set[str]] = {
    (): {"serveConfigV2", "rayClusterConfig", "upgradeStrategy"},
    ("rayClusterConfig",): {
        *("rayVersion", "enableInTreeAutoscaling", "autoscalerOptions", "authOptions", "gcsFaultToleranceOptions"),
        *("headGroupSpec", "workerGroupSpecs"),
    },
    ("rayClusterConfig", "autoscalerOptions"): {"version", "idleTimeoutSeconds", "securityContext", "resources"},
    ("rayClusterConfig", "authOptions"): {"mode", "secretName"},
    ("rayClusterConfig", "gcsFaultToleranceOptions"): {"redisAddress", "redisPassword"},
    ("rayClusterConfig", "headGroupSpec"): {"rayStartParams", "template"},
}
"""Fields of the operator's types that are used, as its sources (1.6) spell them: its schema is a megabyte, on no index."""


def test_the_operators_own_fields_are_spelt_as_in_its_types() -> None:
    (service,) = of_kind("RayService")
    for place, known in KUBERAY.items():
        found = service["spec"]
        for step in place:
            found = found[step]
        assert set(found) == known, place
    for group in service["spec"]["rayClusterConfig"]["workerGroupSpecs"]:
        assert set(group) == {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_the_cluster_runs_the_ray_of_the_lock_file() -> None:
    (service,) = of_kind("RayService")
    locked = re.search(r'^name = "ray"\nversion = "([\d.]+)"', (ROOT / "uv.lock").read_text(), re.M)
    assert locked is not None
    assert service["spec"]["rayClusterConfig"]["rayVersion"] == locked[1]


@pytest.mark.parametrize(("component", "container"), containers(), ids=lambda value: value if isinstance(value, str) else "")
def test_nothing_runs_as_root_or_writes_outside_its_volumes(component: str, container: Manifest) -> None:
    security = pod_templates()[component]["spec"]["securityContext"] | container["securityContext"]
    assert security["runAsNonRoot"]
    assert security["runAsUser"] > 0
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize(("component", "container"), containers(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_container_is_probed_and_bounded(component: str, container: Manifest) -> None:
    assert {"livenessProbe", "readinessProbe"} <= set(container)
    for probe in ("livenessProbe", "readinessProbe"):
        for word in container[probe]["exec"]["command"]:
            if "urllib" in word:
                compile(word, probe, "exec")
    resources = container["resources"]
    assert set(resources["limits"]) == set(resources["requests"]) >= {"cpu", "memory"}, component


def test_ray_pods_run_as_the_user_of_the_image_with_room_to_write() -> None:
    assert "USER 10001:10001" in IMAGE
    for component in RAY_PODS:
        template = pod_templates()[component]
        assert template["spec"]["securityContext"]["runAsUser"] == 10001
        assert {"/tmp", "/dev/shm"} <= set(mounted(template))
        assert "emptyDir" in mounted(template)["/tmp"]


def test_one_replica_of_every_deployment_fits_into_the_smallest_cluster_with_memory_beside_shared_memory() -> None:
    needed: dict[str, list[dict[str, Any]]] = {"cpu": [], "gpu": []}
    for name, options in CONFIG.deployments.items():
        least = options.get("autoscaling_config", {}).get("min_replicas", options.get("num_replicas", 1))
        needed[HOME_OF[name]] += [options["ray_actor_options"]] * least
    for component, actors in needed.items():
        group = ray_groups()[component]
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert sum(actor["num_cpus"] for actor in actors) <= int(limits["cpu"]) * group["minReplicas"], component
        assert sum(actor.get("num_gpus", 0) for actor in actors) <= int(limits.get("nvidia.com/gpu", 0)) * group["minReplicas"]
        shared = mounted(group["template"])["/dev/shm"]["emptyDir"]["sizeLimit"]
        assert size(shared) <= size(limits["memory"]) / 2
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def size(text: str) -> int:
    return int(text[:-2]) * MEBIBYTES[text[-2:]]


def test_a_pod_that_is_to_end_has_longer_than_any_replica_takes_to_drain() -> None:
    longest = max(options.get("graceful_shutdown_timeout_s", 20) for options in CONFIG.deployments.values())
    for component in RAY_PODS:
        assert pod_templates()[component]["spec"]["terminationGracePeriodSeconds"] > longest


def test_a_budget_for_disruptions_holds_for_each_group_of_workers_and_never_blocks_a_drain() -> None:
    budgets = {one["spec"]["selector"]["matchLabels"][COMPONENT]: one["spec"] for one in of_kind("PodDisruptionBudget")}
    assert set(budgets) == {"cpu", "gpu"}
    assert all(budget["maxUnavailable"] == 1 for budget in budgets.values())


def policies() -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one["spec"] for one in of_kind("NetworkPolicy")}


def selected(labels: dict[str, str]) -> set[str]:
    """The components whose pods have these labels."""
    every = {component: template["metadata"]["labels"] for component, template in pod_templates().items()}
    return {component for component, found in every.items() if labels.items() <= found.items()}


def test_strangers_reach_the_service_alone_and_never_rays_ports_or_redis() -> None:
    assert selected(policies()["wordloop"]["podSelector"]["matchLabels"]) == set(RAY_PODS)
    open_to: dict[int, set[str]] = {}
    for rule in policies()["wordloop"]["ingress"]:
        for source in rule["from"]:
            if "podSelector" in source:
                assert selected(source["podSelector"]["matchLabels"]) == set(RAY_PODS)
                continue
            namespace = source["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
            for port in rule["ports"]:
                open_to.setdefault(port["port"], set()).add(namespace)
    assert set(open_to) == {8000, 8080, 8265}
    assert "ingress-nginx" not in open_to[8265] | open_to[8080]
    (redis,) = policies()["wordloop-redis"]["ingress"]
    assert [port["port"] for port in redis["ports"]] == [6379]
    assert selected(redis["from"][0]["podSelector"]["matchLabels"]) == set(RAY_PODS)


def test_what_callers_name_is_fetched_from_public_addresses_only() -> None:
    blocks = [
        target["ipBlock"] for rule in policies()["wordloop"]["egress"] for target in rule.get("to", []) if "ipBlock" in target
    ]
    assert len(blocks) == 1
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(blocks[0]["except"])
