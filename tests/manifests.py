"""What stands in deploy/, parsed. `python -m tests.manifests` holds it to Kubernetes' own schemas (`just check-deploy`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
KUBERNETES = "1.33"
"""Release whose schemas hold."""

Manifest = dict[str, Any]


def manifests() -> list[Manifest]:
    """Every object that the kustomization lists."""
    listed = kustomization()["resources"]
    return [found for name in listed for found in yaml.safe_load_all((DEPLOY / name).read_text())]


def kustomization() -> Manifest:
    found: Manifest = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
    return found


def of_kind(kind: str) -> list[Manifest]:
    return [one for one in manifests() if one["kind"] == kind]


def ray_groups() -> dict[str, Manifest]:
    """The groups of Ray's pods by the component that their label names."""
    (service,) = of_kind("RayService")
    cluster = service["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return {group["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: group for group in groups}


def pod_templates() -> dict[str, Manifest]:
    """Every template of a pod, by its component."""
    ray = {name: group["template"] for name, group in ray_groups().items()}
    return ray | {
        one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"]
        for one in of_kind("StatefulSet")
    }


def validated() -> Iterator[str]:
    """Hold everything that Kubernetes itself knows to its schemas; raises what the validator raises."""
    import kubernetes_validate

    for one in manifests():
        if one["kind"] != "RayService":  # its schema comes with the operator
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
            yield f"{one['kind']} {one['metadata']['name']}"
    for component, template in pod_templates().items():
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": component} | template["metadata"],
            "spec": template["spec"],
        }
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        yield f"pods of {component}"


if __name__ == "__main__":
    for told in validated():
        print("valid:", told)
