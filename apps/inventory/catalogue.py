"""What can go wrong when a person asks for the inventory."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenancy.catalogue import declare

declare(
    "inventory.unsupported",
    409,
    _("This cloud cannot be listed"),
    _("The portal can deploy to {cloud}, but cannot list what it has."),
    _("Look at the cloud's own console."),
)
declare(
    "inventory.lent",
    403,
    _("The cloud belongs to another organization"),
    _("{cloud} is lent to you: what is on it is its owner's to read."),
    _("Ask the owner of the cloud."),
)
declare(
    "inventory.view_name",
    409,
    _("The name is taken"),
    _("You have a saved view named “{name}” already."),
    _("Choose another name, or change that view."),
)
declare(
    "inventory.away",
    503,
    _("The cloud could not be read"),
    _("The rows stay as they were."),
    _("It is looked at again every minute; the cloud's page says what hinders."),
)
declare("inventory.view_not_found", 404, _("There is no such view"), _("No saved view “{name}” can be seen by you."))
declare("inventory.not_found", 404, _("There is no such thing"), _("“{name}” is not in the inventory that you see."))
