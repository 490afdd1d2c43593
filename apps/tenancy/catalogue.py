"""Keep one catalogue of what can go wrong: a page, an API answer and a terminal say the same for the same code.

Apps above declare their own codes with `declare` in a module that their `AppConfig.ready()` imports. Texts are lazy
translations with named placeholders (`{name}`), never concatenated sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Entry:
    """Describe one code: `status` for HTTP, `title` the same for every occurrence, `detail` for this one.

    `detail` says what happened and why, `hint` what to do now; both may hold placeholders.
    """

    code: str
    status: int
    title: Text
    detail: Text = ""
    hint: Text = ""


_entries: dict[str, Entry] = {}


def declare(code: str, status: int, title: Text, detail: Text = "", hint: Text = "") -> Entry:
    """Add a code; ValueError when it was declared with other texts before."""
    entry = Entry(code, status, title, detail, hint)
    known = _entries.get(code)
    if known is not None and (known.status, str(known.title)) != (status, str(title)):
        raise ValueError(f"the fault {code!r} is declared twice with different texts")
    _entries[code] = entry
    return entry


def find(code: str) -> Entry | None:
    """Return the entry of a code, or None when nobody declared it."""
    return _entries.get(code)


def entries() -> Mapping[str, Entry]:
    """Return every declared entry by its code."""
    return dict(sorted(_entries.items()))


# What any request can meet.
declare(
    "invalid",
    400,
    _("The request holds values that cannot be used"),
    _("{count} of the fields sent cannot be used - each is listed under “params” with its reason."),
    _("Correct these fields and send the request again."),
)
declare(
    "malformed",
    400,
    _("The request cannot be read"),
    _("The body is not what its Content-Type says: {reason}."),
    _("Send a JSON document, encoded as UTF-8."),
)
declare(
    "not_authenticated",
    401,
    _("Who you are is not known"),
    _("This address needs a token or a session, and the request carries neither."),
    _("Send “Authorization: Bearer escale_…”, or sign in."),
)
declare(
    "token.invalid",
    401,
    _("The token is not accepted"),
    _("No valid token is like the one sent - it is mistyped, or it was revoked."),
    _("Copy the token again, or issue a new one under Settings, Tokens."),
)
declare(
    "token.expired",
    401,
    _("The token has expired"),
    _("The token “{name}” was valid until {expired_at}."),
    _("Issue a new one under Settings, Tokens."),
)
declare(
    "token.no_access",
    401,
    _("The token opens nothing any more"),
    _("{user} is no longer a member of the organization that the token “{name}” was issued for."),
    _("Ask an administrator of the organization to be added again, then issue a new token."),
)
declare(
    "forbidden",
    403,
    _("Your role does not allow this"),
    _("This needs the role {needed} in {place} - you are {role} there."),
    _("These people can give you the role: {granters}."),
)
declare(
    "forbidden.token",
    403,
    _("The token does not allow this"),
    _("This needs the role {needed} in {place} - the token “{token}” allows {role} there."),
    _("Issue a token with this role, if your own role allows it, or ask: {granters}."),
)
declare(
    "csrf",
    403,
    _("The request did not come from this portal's pages"),
    _("The request is signed in by a cookie but lacks the proof that one of our pages sent it."),
    _("Reload the page and try again; programs send “Authorization: Bearer …” instead of cookies."),
)
declare(
    "no_organization",
    403,
    _("You belong to no organization"),
    _("{user} is signed in but is a member of no organization, so there is nothing to show."),
    _("Ask an administrator of your organization to add you."),
)
declare(
    "not_found",
    404,
    _("There is nothing here"),
    _("Nothing that you may see has this address - it never existed, was removed, or belongs to others."),
    _("Check the address, the organization you are in, and your role."),
)
declare(
    "project.not_found",
    404,
    _("There is no such project"),
    _("No project that you may see has the id or the name “{name}”."),
    _("“GET /api/v1/projects/” lists those that you may use."),
)
declare(
    "method_not_allowed",
    405,
    _("The method cannot be used here"),
    _("This address does not answer to {method}."),
    _("The “Allow” header lists the methods that it answers to."),
)
declare(
    "not_acceptable",
    406,
    _("The answer cannot be given in this form"),
    _("None of the media types in “Accept” can be produced here."),
    _("Accept “application/json”."),
)
declare(
    "conflict",
    409,
    _("The request conflicts with what exists"),
    hint=_("Read the object again and decide anew."),
)
declare(
    "name_taken",
    409,
    _("The name is taken"),
    _("{what} “{name}” exists already."),
    _("Choose another name, or use the one that exists."),
)
declare("too_large", 413, _("The request is too large"), hint=_("Send less, or in parts."))
declare(
    "unsupported_media_type",
    415,
    _("The form of the body is not understood"),
    _("The body is sent as {media_type}, which is not understood here."),
    _("Send “Content-Type: application/json”."),
)
declare(
    "throttled",
    429,
    _("Too many requests"),
    _("The limit is reached; the next request is accepted in {wait_s} seconds."),
    _("Wait as long as “Retry-After” says."),
)
declare(
    "internal",
    500,
    _("Something failed on our side"),
    _("It was recorded as {incident}; nothing more is known here."),
    _("Try again; if it fails again, give this number to whoever runs the portal."),
)
declare(
    "unavailable",
    503,
    _("The portal cannot answer now"),
    hint=_("Try again in a few seconds."),
)

# Repeating a request.
declare(
    "idempotency.invalid",
    400,
    _("The Idempotency-Key cannot be used"),
    _("The key must be 1 to 255 visible ASCII characters."),
    _("Send a UUID, one for each intention."),
)
declare(
    "idempotency.mismatch",
    422,
    _("The Idempotency-Key was used for another request"),
    _("The same key came before with another method, address or body."),
    _("Use a new key for a new intention, and the old one only to repeat the same request."),
)
declare(
    "idempotency.concurrent",
    409,
    _("The same request is under way"),
    _("A request with this Idempotency-Key has not been answered yet."),
    _("Repeat it in a moment to get its answer."),
)

# Members and tokens.
declare(
    "member.unknown",
    404,
    _("There is no such user"),
    _("Nobody has the user name “{name}”."),
    _("Check the spelling; a user must exist before becoming a member."),
)
declare(
    "member.exists",
    409,
    _("The user is a member already"),
    _("{name} is {role} there already."),
    _("Change the role of the member instead."),
)
declare(
    "member.last_admin",
    409,
    _("An organization needs an administrator"),
    _("{name} is the last administrator of {organization} - without one, nobody could manage it."),
    _("Make somebody else an administrator first."),
)
declare(
    "token.role_too_high",
    403,
    _("A token cannot do more than its user"),
    _("You are {role} there, and the token asks for {asked}."),
    _("Ask for {role} or less."),
)

# Encryption at rest.
declare(
    "encryption.key_missing",
    500,
    _("A key that stored secrets need is missing"),
    _("The secrets are encrypted with key version {version}, which ESCALE_KEYS does not hold."),
    _("Put the old key back behind the newest one in ESCALE_KEYS, then run “manage.py rotate_keys”."),
)
declare(
    "encryption.tampered",
    500,
    _("A stored secret cannot be opened"),
    _("It was changed, or it belongs to another organization or another object."),
    _("Enter the secret anew; look into the audit log for who had access to the database."),
)
