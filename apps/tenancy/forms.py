"""Forms of the settings pages; services check everything again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenancy.access import Principal, rank
from apps.tenancy.models import Project, Role

LIVES = [("7", _("7 days")), ("30", _("30 days")), ("90", _("90 days")), ("365", _("one year")), ("", _("no end"))]


def dress(form: forms.BaseForm) -> None:
    """Give every control the class that the style sheet knows."""
    for control in form.fields.values():
        chosen = "select" if isinstance(control.widget, forms.Select) else "input"
        if not isinstance(control.widget, forms.CheckboxInput | forms.RadioSelect | forms.HiddenInput):
            control.widget.attrs.setdefault("class", chosen)


class SignInForm(AuthenticationForm):
    """Ask for name and password; what is wrong is said without telling which of the two it was."""

    error_messages = {
        "invalid_login": _("This user name and password do not belong together. Both may be case-sensitive."),
        "inactive": _("This account is switched off. Ask an administrator of your organization."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("User name")
        dress(self)


class OwnPasswordForm(PasswordChangeForm):
    """Change one's own password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password1"].help_text = _("At least twelve characters, not all numbers, and not a known one.")
        self.fields["new_password2"].help_text = ""
        dress(self)


class TokenForm(forms.Form):
    """Ask what a new token is for, what it may do, and how long."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What uses it, for example “deploy pipeline”."))
    role = forms.ChoiceField(label=_("May do what this role may"))
    project = forms.ModelChoiceField(
        label=_("In"), queryset=Project.objects.none(), required=False, empty_label=_("all my projects")
    )
    days = forms.ChoiceField(label=_("Valid for"), choices=LIVES, initial="90", required=False)

    def __init__(self, principal: Principal, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = max((role for role in Role if principal.may_somewhere(role)), key=rank, default=Role.VIEWER)
        roles = [(role.value, role.label) for role in Role if rank(role) <= rank(own)]
        self.fields["role"].choices = roles  # type: ignore[attr-defined]
        self.fields["role"].initial = Role.VIEWER.value
        self.fields["project"].queryset = Project.objects.visible_to(principal)  # type: ignore[attr-defined]
        dress(self)

    def expires_at(self) -> Any:
        """Return when the token ends, or None for no end."""
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class MemberForm(forms.Form):
    """Ask who gets which role, and where."""

    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.VIEWER)
    project = forms.ModelChoiceField(
        label=_("In"), queryset=Project.objects.none(), required=False, empty_label=_("the whole organization")
    )

    def __init__(self, principal: Principal, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = Project.objects.visible_to(principal)  # type: ignore[attr-defined]
        dress(self)


class UserForm(forms.Form):
    """Ask for a new person who can sign in."""

    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    email = forms.EmailField(label=_("Email"), required=False)
    password = forms.CharField(
        label=_("First password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least twelve characters. Hand it over yourself; it is not sent anywhere."),
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.VIEWER)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


class ProjectForm(forms.Form):
    """Ask for a new project."""

    name = forms.CharField(label=_("Name"), max_length=120)
    slug = forms.SlugField(
        label=_("Short name"),
        max_length=63,
        help_text=_("Lower-case letters, digits and hyphens; it appears in folders and addresses and stays as it is."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


def take_over(form: forms.BaseForm, params: Any) -> bool:
    """Put a fault's complaints beside the fields that they speak of; True when each of them found its field."""
    found = True
    for param in params:
        if param["name"] in form.fields:
            form.add_error(param["name"], param["reason"])  # type: ignore[attr-defined]
        else:
            found = False
    return found and bool(params)
