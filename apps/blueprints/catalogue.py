"""What can go wrong with a design, in the words that page, API and terminal share."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenancy.catalogue import declare

declare(
    "name.invalid",
    422,
    _("The name cannot be used"),
    _("“{name}” is not a usable name for a {what}."),
    _("Take 1 to 63 letters, digits, dots, hyphens or underscores, beginning with a letter or a digit."),
)
declare(
    "blueprint.name_taken",
    409,
    _("A design of this name exists"),
    _("The project {project} already has a design named {name}."),
    _("Choose another name, or save a new version of the one that exists."),
)
declare(
    "blueprint.in_use",
    409,
    _("Deployments came from this design"),
    _("{name} cannot be deleted while plans or deployments refer to its versions: they would lose their source."),
    _("Keep it, or destroy its deployments and delete their history first."),
)
declare(
    "blueprint.file_path",
    422,
    _("A supplied file has a path that cannot be used"),
    _("“{path}” is not a relative path below the folder of the Compose file."),
    _("Name the file as the Compose file does, for example db/password.txt."),
)
declare(
    "blueprint.file_content",
    422,
    _("A supplied file cannot be read"),
    _('The content of “{path}” is neither text nor {{"base64": …}}.'),
    _('Send text as it is, and anything else as {{"base64": "…"}}.'),
)
declare(
    "blueprint.files_too_large",
    413,
    _("The supplied files are too many or too large"),
    _(
        "{count} files with {size} bytes were given; at most {max_files} files of {max_file} bytes each, and "
        "{max_total} bytes together, are kept with a design."
    ),
    _("Leave out what no service mounts, or build it into an image."),
)
declare(
    "blueprint.environment",
    422,
    _("The values for interpolation cannot be used"),
    _("At most {limit} variables are taken, each a name without “=” and a text of at most 32 KiB."),
    _("Correct the environment and send it again."),
)
declare(
    "compose.invalid",
    422,
    _("The Compose file has mistakes"),
    _("{first}"),
    _("Correct the lines that the findings name and send the file again."),
)
declare(
    "blueprint.version_conflict",
    409,
    _("Somebody saved a newer version first"),
    _("This was drawn from version {base} of {name}, and {who} saved version {latest} meanwhile."),
    _("Join the two texts, or look at the difference and save over version {latest}."),
)
declare(
    "draft.conflict",
    409,
    _("The draft was changed elsewhere"),
    _("This change was made from revision {given} of the draft, which is at revision {stored} by now."),
    _("Another tab or device wrote it: join the two texts, then send the change again with the newer revision."),
)
declare(
    "draft.too_large",
    413,
    _("The draft is too large"),
    _("Its text has {size} bytes; at most {limit} are kept."),
    _("Split the design, or move long contents into files beside it."),
)
declare(
    "draft.too_many",
    409,
    _("You have too many drafts"),
    _("There are {limit} drafts of yours in the project {project} that were never saved as a design."),
    _("Save or delete some of them."),
)
declare(
    "draft.not_stored",
    422,
    _("There is nothing to keep under this name"),
    _("“{name}” is to stay as it is stored, and the draft holds nothing of this name."),
    _("Send its content."),
)
declare(
    "draft.other_project",
    422,
    _("The design belongs to another project"),
    _("{name} is not a design of the project {project}."),
    _("Leave the project out, or name the design's own."),
)
declare(
    "share.expiry",
    422,
    _("The link would have expired already"),
    _("{when} is in the past."),
    _("Choose a later time, or none for a link that stays."),
)
declare(
    "share.too_many",
    409,
    _("The design has too many links"),
    _("{limit} links lead to {name} already."),
    _("Delete links that nobody needs any more."),
)
declare(
    "blueprint.no_version",
    404,
    _("There is no such version"),
    _("{name} has no version {number}."),
    _("Look at the list of its versions."),
)
