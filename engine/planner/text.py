"""Write a plan as text, one line for each change, action and finding: for people and for golden tests."""

from __future__ import annotations

from engine.plan import Plan
from engine.wording import counted

_MARKS = {"create": "+", "update": "~", "replace": "!", "delete": "-", "keep": "="}


def plan_text(plan: Plan) -> str:
    """Return the plan as lines; equal plans give equal text."""
    counts = ", ".join(f"{count} {change}" for change, count in plan.counts().items() if count)
    needs = plan.requirements
    lines = [f"plan for {plan.target}: {counts or 'nothing'}{' (BLOCKED)' if plan.blocked else ''}"]
    if needs.machines:
        lines.append(
            f"needs {counted(needs.machines, 'machine')}, {counted(needs.cpus, 'CPU')}, {needs.memory_mib} MiB, "
            f"{needs.disk_gib} GiB of disk, {counted(needs.networks, 'network')}"
        )
    for change in plan.changes:
        flags = "".join(
            f" [{flag}]"
            for flag, given in (("destructive", change.destructive), ("DATA LOSS", change.data_loss))
            if given
        )
        lines.append(f"{_MARKS[change.change]} {change.resource} ({change.name}): {change.cause}{flags}")
        for attribute, before, after in change.details:
            lines.append(f"    {attribute}: {before or '-'} -> {after or '-'}")
    for action in plan.actions:
        after = f" after {', '.join(action.depends_on)}" if action.depends_on else ""
        serial = f" serial={action.serial}" if action.serial else ""
        lines.append(f"> {action.key}{serial}{after} -- {action.cause}")
    for finding in plan.findings:
        lines.append(f"? {finding.severity} {finding.code}: {finding.message}")
    return "\n".join(lines) + "\n"
