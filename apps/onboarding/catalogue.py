"""What can go wrong when running machines are brought under the portal."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenancy.catalogue import declare

declare(
    "onboarding.nothing",
    422,
    _("None of the machines can be adopted"),
    _("{first}"),
    _("Choose machines that belong to no deployment and are no templates."),
)
declare(
    "onboarding.too_many",
    422,
    _("These are too many machines for one design"),
    _("{count} machines were chosen, and one design holds at most {limit}."),
    _("Onboard them in several designs, by folder for example."),
)
declare(
    "onboarding.planned",
    409,
    _("The machines were drawn and planned already"),
    _("The design {name} was made of this choice."),
    _("Open its plan, or plan the design again from its page."),
)
