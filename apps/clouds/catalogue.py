"""What can go wrong with clouds, in the words that page, API and terminal share.

The `cloud.*` codes of `connectors.base.ConnectorError` bring their own sentence as detail; here are their title, HTTP
status and the hint.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenancy.catalogue import declare

declare(
    "cloud.unknown",
    404,
    _("There is no such cloud"),
    _("No cloud that you may use has the id or the name “{name}”."),
    _("“GET /api/v1/clouds/” and “escale clouds” list those that you may use."),
)
declare(
    "cloud.name_in_use",
    409,
    _("A cloud of this name exists"),
    _("Your organization already has a cloud named “{name}”."),
    _("Choose another name, or change the one that exists."),
)
declare(
    "cloud.address_refused",
    422,
    _("The address cannot be used for a cloud"),
    _("{address}: {reason}."),
    _("Give host:port or an https:// address of the cloud's API."),
)
declare(
    "cloud.no_certificate",
    422,
    _("There is no certificate to look at"),
    _("{reason}."),
    _("Check the address and the port, and that a firewall lets the portal through."),
)
declare(
    "cloud.shared_already",
    409,
    _("The cloud is shared with them already"),
    _("{cloud} is offered to {organization} already."),
    _("Take that offer back first if it should be another one."),
)
declare(
    "cloud.grant_in_use",
    409,
    _("Deployments live by this right"),
    _("{count} deployments of {organization} run on {cloud}."),
    _("They must be destroyed or moved first; nothing was changed."),
)
declare(
    "cloud.limit_reached",
    409,
    _("The cloud’s limit is reached"),
    _("{cloud} may hold no more: {figures}."),
    _("Destroy what is no longer needed, plan something smaller, or ask the cloud’s administrators for more."),
)
declare(
    "cloud.not_shared",
    403,
    _("The cloud is no longer shared with this project"),
    _("{cloud} belongs to another organization, which does not let this project use it."),
    _("Plan for another cloud, or ask the cloud’s administrators."),
)
declare(
    "cloud.credential_needed",
    422,
    _("A new address needs the credential again"),
    _("The stored password is not sent to an address that it was not entered for."),
    _("Send “username” and “password” together with the new address."),
)
declare(
    "cloud.in_use",
    409,
    _("The cloud is in use"),
    _("{count} deployments run on {cloud}: {names}."),
    _("Destroy or move them first."),
)
declare(
    "cloud.disabled",
    409,
    _("The cloud is switched off"),
    _("An administrator has switched {cloud} off in the portal."),
    _("Choose another cloud, or ask an administrator to switch it on."),
)
declare(
    "cloud.not_read",
    409,
    _("The cloud has not been read yet"),
    _("The portal does not know what {cloud} offers: {reason}"),
    _("Test the cloud on its page, correct what is reported, then plan again."),
)

# What connectors report.
declare(
    "cloud.unreachable",
    503,
    _("The cloud does not answer"),
    hint=_("Check the address and the network between the portal and the cloud, then try again."),
)
declare(
    "cloud.not_authenticated",
    502,
    _("The cloud refuses the credential"),
    hint=_("An administrator must enter the user name and password anew on the cloud's page."),
)
declare(
    "cloud.trust",
    502,
    _("The cloud's certificate is not trusted"),
    hint=_("Compare the fingerprint with the one that the cloud's owner gives, then pin it, or give the CA file."),
)
declare(
    "cloud.permission",
    502,
    _("The cloud account lacks a permission"),
    hint=_("Give the account the privilege that is named."),
)
declare("cloud.not_found", 409, _("Something that is needed does not exist on the cloud"))
declare("cloud.name_taken", 409, _("The name is taken on the cloud"))
declare("cloud.no_space", 409, _("The cloud has no room for it"))
declare("cloud.invalid", 422, _("The cloud cannot do this"))
declare("cloud.busy", 503, _("The cloud is busy"), hint=_("Try again in a moment."))
declare("cloud.fault", 502, _("The cloud reported a fault"))
declare("cloud.cancelled", 409, _("The work was cancelled on the cloud"))
declare(
    "cloud.foreign",
    409,
    _("This does not belong to the deployment"),
    hint=_("It was left alone; look at it on the cloud."),
)
