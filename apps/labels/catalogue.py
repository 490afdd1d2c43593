"""What can go wrong with labels, in the words that page, API and terminal share."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenancy.catalogue import declare

declare(
    "label.not_offered",
    409,
    _("There is no label for this kind of cloud"),
    _("{cloud} is of the kind {kind}, for which no probes exist."),
    _("Clouds of other kinds are used as they are; policies that demand a label refuse them."),
)
declare(
    "label.not_yours",
    403,
    _("The cloud belongs to another organization"),
    _("{cloud} is shared with your organization: you may read its label and its report."),
    _("Ask an administrator of the organization that owns it."),
)
declare(
    "label.not_candidate",
    409,
    _("This label cannot be signed"),
    _("It is {state}; only a label that waits for a signature can be signed."),
    _("Start a new run, and sign what it earns."),
)
declare(
    "label.run_too_old",
    409,
    _("The run is too old to be signed"),
    _("Its evidence is older than {days} days, so that it says little of the cloud as it is."),
    _("Start a new run, and sign that."),
)
declare(
    "label.cloud_changed",
    409,
    _("The cloud is not the one that was probed"),
    _("Since the run these have changed: {what}."),
    _("Start a new run, and sign that."),
)
declare(
    "label.not_passed",
    409,
    _("The evidence does not earn the label"),
    _("A required probe has not passed, or the evidence was changed after the run."),
    _("Start a new run, and sign what it earns."),
)
declare(
    "label.statement",
    422,
    _("The statement cannot be used"),
    _("A signature needs a statement of 1 to {most} characters: what you vouch for."),
    _("Write one or two sentences that a partner may read."),
)
declare(
    "label.days",
    422,
    _("The label cannot last that long"),
    _("A label lasts from 1 to {most} days."),
    _("Choose fewer days; a label is renewed by a new run and a new signature."),
)
declare(
    "label.reason",
    422,
    _("A reason is needed"),
    _("Whoever relies on the label is told why it is gone, in 1 to {most} characters."),
    _("Write the reason."),
)
declare(
    "label.not_in_force",
    409,
    _("There is nothing to withdraw"),
    _("The label is {state} already."),
    _("Look at the cloud's page for the label that stands now."),
)
declare(
    "label.not_finished",
    409,
    _("The run has not ended"),
    _("A report is made of all probes, and this run is still under way."),
    _("Wait for its end; its progress is shown on its page."),
)
declare(
    "label.report_unreadable",
    422,
    _("This is no report of a conformance run"),
    _("The file is not what “escale labels show --json” or the page's export gives: {reason}."),
    _("Export the report again."),
)
