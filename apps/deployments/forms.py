"""Ask what a plan needs to know: where, under which name, and images for what only says how to build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.tenancy.forms import dress

IMAGE_PREFIX = "image:"


class PlanForm(forms.Form):
    """Ask for name and images; the cloud is chosen from cards."""

    name = forms.CharField(
        label=_("Name of the deployment"),
        max_length=63,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Machines and folders on the cloud are named after it."),
    )

    def __init__(self, images: Mapping[str, str], *args: Any, named: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not named:
            del self.fields["name"]
        for service, image in images.items():
            self.fields[IMAGE_PREFIX + service] = forms.CharField(
                label=_("Image for %(service)s") % {"service": service},
                required=False,
                initial=image,
                max_length=500,
                widget=forms.TextInput(
                    attrs={"spellcheck": "false", "autocapitalize": "off", "placeholder": "registry.example/name:1.0"}
                ),
            )
        dress(self)

    def images(self) -> dict[str, str]:
        """Return the images that were given, by service."""
        given = {
            field.removeprefix(IMAGE_PREFIX): value.strip()
            for field, value in self.cleaned_data.items()
            if field.startswith(IMAGE_PREFIX)
        }
        return {service: image for service, image in given.items() if image}

    @property
    def image_fields(self) -> list[forms.BoundField]:
        """Return the fields for images, for the template."""
        return [self[name] for name in self.fields if name.startswith(IMAGE_PREFIX)]
