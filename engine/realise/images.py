"""Find the image of every service; nothing is built here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.compose.model import Project
from engine.realise.notes import Notes


def runnable(project: Project, images: Mapping[str, str], notes: Notes) -> dict[str, Any]:
    """Return the services that a machine can run; one without an image is an error, and stays to be planned around."""
    services: dict[str, Any] = {}
    for name, body in project.services().items():
        given = images.get(name)
        path = ("services", name, "build")
        if body.get("provider") and not given:
            notes.finding(
                "realise.provider",
                "warning",
                f"The service {name} is run by a provider ({body['provider'].get('type')}), a program beside the "
                "Compose command line that no machine has, so it is left out: replace it by a service with an "
                "image.",
                ("services", name, "provider"),
            )
            continue
        if body.get("build"):
            if given:
                notes.ledger(path, "approximated", f"the built image {given} is used instead", "build.given")
            elif body.get("image"):
                image = str(body["image"])
                notes.ledger(
                    path,
                    "dropped",
                    f"nothing is built here: {image} is pulled from its registry and must exist there, or give "
                    f"another "
                    f"image for {name} in the plan",
                    "build.image",
                )
                notes.finding(
                    "realise.image_not_built",
                    "warning",
                    f"The service {name} says how to build {image}, which is not done here: the machine pulls "
                    f"it. Push "
                    f"it to a registry that the machine can reach, or give an image for {name} in the plan.",
                    path,
                )
            else:
                notes.ledger(
                    path, "dropped", "nothing is built here; give an image for the service in the plan", "build"
                )
        if not given and not body.get("image"):
            notes.finding(
                "realise.image_missing",
                "error",
                f"The service {name} has no image to "
                f"run{' and only says how to build one' if body.get('build') else ''}"
                f": build it, push it to a registry, and give the image for {name} in the plan.",
                path if body.get("build") else ("services", name),
            )
        services[name] = body
    unknown = sorted(set(images) - set(services))
    if unknown:
        notes.finding(
            "realise.image_unknown",
            "warning",
            f"An image was given for {', '.join(unknown)}, which the drawing does not have: it has no effect.",
        )
    return services
