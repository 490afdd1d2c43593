"""What can go wrong between a plan and a running deployment, in the words that page, API and terminal share."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenancy.catalogue import declare

declare(
    "deployment.name_taken",
    409,
    _("A deployment of this name exists"),
    _("The project {project} already has a deployment named {name}."),
    _("Choose another name, or plan an update of the one that exists."),
)
declare(
    "deployment.not_found",
    404,
    _("There is no such deployment"),
    _("Nothing that you may see and that is not destroyed is called “{name}”."),
    _("List the deployments and check the name, or give the id."),
)
declare(
    "deployment.destroyed",
    409,
    _("The deployment was destroyed"),
    _("{name} was destroyed and cannot be planned again."),
    _("Deploy its design anew."),
)
declare(
    "deployment.is_part",
    409,
    _("This is a part of a deployment"),
    _("What {name} has on {cloud} is a part of it, and is planned, changed and destroyed with the whole alone."),
    _("Plan {name} itself."),
)
declare(
    "plan.cloud_differs",
    409,
    _("The deployment runs on another cloud"),
    _("{name} runs on {runs_on}, and an update cannot change the cloud."),
    _("Plan it for {runs_on}, or deploy the design anew to {cloud}."),
)
declare(
    "plan.region_differs",
    409,
    _("The deployment is of another region"),
    _("{name} is of the region {own} of its drawing, and an update cannot make it one of {region}."),
    _("Leave the region out, or deploy the design anew for {region}."),
)
declare(
    "plan.adopt_unsupported",
    422,
    _("This cloud's machines cannot be adopted"),
    _("The drawing adopts machines that run already, which clouds such as {cloud} do not offer in this release."),
    _("Take the machines with “adopt” out of the drawing, or plan for the cloud that they run on."),
)
declare(
    "drift.nothing",
    409,
    _("There is nothing to write back"),
    _("What differs of {name} on its cloud is nothing that its drawing could say, or the drawing says it already."),
    _("Restore what was drawn, or change the drawing by hand."),
)
declare(
    "deployment.changing",
    409,
    _("The deployment is being changed"),
    _("An operation is at work on {name}, so what is on the cloud now is not what it will be."),
    _("Watch the operation, and look again when it has ended."),
)
declare(
    "plan.images",
    422,
    _("The images cannot be used"),
    _("“images” is not a map from service to image reference."),
    _('Give for example {{"web": "registry.example/web:1.0"}}.'),
)
declare(
    "plan.blocked",
    422,
    _("The plan cannot be started"),
    _("{first}"),
    _("Mend what the findings name and plan again."),
)
declare(
    "plan.already_started",
    409,
    _("The plan was started already"),
    _("A plan runs once, and operation {operation} has run this one."),
    _("Watch that operation, or plan again."),
)
declare(
    "plan.data_loss",
    409,
    _("The plan destroys data"),
    _("Starting it deletes {names} with all data."),
    _("Confirm with “accept_data_loss”, or keep the volumes in the drawing and plan again."),
)
declare(
    "plan.stale",
    409,
    _("The plan is out of date"),
    _("The deployment or the cloud has changed since this plan was made, so it might do something else than you read."),
    _("Plan again and read the new plan."),
)
declare(
    "cloud.not_ready",
    503,
    _("The cloud cannot be planned for now"),
    _("{cloud} did not answer: {reason}"),
    _("Test its connection on the cloud's page; nothing was changed."),
)
declare(
    "fetch.refused",
    403,
    _("The fetch is refused"),
    _("The token is unknown, used, expired, or of another machine."),
    _("Update or redeploy the machine: it then gets a new token."),
)
declare(
    "fetch.insecure",
    403,
    _("Secrets are handed out over HTTPS only"),
    _("This request came over plain HTTP."),
    _("Ask the HTTPS address of the portal (ESCALE_MACHINE_URL)."),
)
