"""Warn of what a file says and the normal form, like the reference's, leaves out without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.compose.report import Path
from engine.compose.shortforms import cut_off

Warn = Callable[[str, str, Path], None]

_SIZES = ("mem_limit", "memswap_limit", "shm_size")


def remark(model: dict[str, Any], warn: Warn) -> None:
    """Look through a canonical model for values that have no effect."""
    services = model.get("services")
    for name, service in services.items() if services.__class__ is dict else ():
        if service.__class__ is not dict:
            continue
        for key in ("command", "entrypoint"):
            line = service.get(key)
            if line.__class__ is str:
                lost = cut_off(line)
                if lost:
                    warn(
                        "compose.value.command_cut",
                        f"`{lost[:60]}` and what follows is not part of the command - no shell runs it, so `;`, `&`,"
                        ' `|`, `<` and `>` end it - write it as `["sh", "-c", "…"]`.',
                        ("services", name, key),
                    )
        for key in _SIZES:
            if service.get(key).__class__ is float:
                warn(
                    "compose.value.ignored",
                    f"`{key}: {service[key]}` has no effect - there are no fractions of bytes - write a whole number or"
                    ' a size like `"1.5g"`.',
                    ("services", name, key),
                )
        if "pull_refresh_after" in service:
            warn(
                "compose.value.ignored",
                "`pull_refresh_after` has no effect - Compose does not use it - write `pull_policy: every_…`.",
                ("services", name, "pull_refresh_after"),
            )
    networks = model.get("networks")
    for name, network in networks.items() if networks.__class__ is dict else ():
        ipam = network.get("ipam") if network.__class__ is dict else None
        if ipam.__class__ is dict and ipam.get("options"):
            warn(
                "compose.value.ignored",
                "`ipam.options` has no effect - Compose does not pass it on - use `driver_opts` of the network.",
                ("networks", name, "ipam", "options"),
            )
