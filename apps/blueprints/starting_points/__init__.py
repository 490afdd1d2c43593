"""Offer designs to start from: a folder for each, with its Compose file and the text files that stand beside it.

Those with `corpus` come, unchanged, from the awesome-compose collection (CC0, see LICENSE); what they refer to and
the collection's copy leaves out was written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.tenancy.faults import fault

FOLDER = Path(__file__).resolve().parent
COMPOSE = "compose.yaml"


@dataclass(frozen=True, slots=True)
class Template:
    """Describe a design to start from; the texts are lazy translations."""

    name: str
    title: str | Promise
    description: str | Promise
    corpus: bool = True

    @property
    def compose(self) -> str:
        """Return the Compose text, byte for byte."""
        return _read(self.name)[COMPOSE]

    @property
    def files(self) -> Mapping[str, str]:
        """Return the texts of the files that stand beside it, by relative path."""
        return {path: text for path, text in _read(self.name).items() if path != COMPOSE}


TEMPLATES: Mapping[str, Template] = {
    template.name: template
    for template in (
        Template(
            "three-tier-shop",
            _("Three-tier shop"),
            _("A web server, two workers and a database with a cache, each on machines of their own."),
            corpus=False,
        ),
        Template(
            "two-regions",
            _("Shop in two regions"),
            _("The same shop at a main and a standby site, each of which goes to a cloud of its own."),
            corpus=False,
        ),
        Template(
            "machines-and-containers",
            _("Machine beside containers"),
            _("A host with two containers, and a plain virtual machine that administrators sign in to."),
            corpus=False,
        ),
        Template(
            "wordpress-mysql",
            _("WordPress"),
            _("A blog with its database. Change the passwords in it before you deploy."),
        ),
        Template(
            "nextcloud-postgres",
            _("Nextcloud"),
            _("Files and calendars of your own, with PostgreSQL. Change the passwords in it before you deploy."),
        ),
        Template(
            "gitea-postgres",
            _("Gitea"),
            _("A server for Git repositories, with PostgreSQL. Change the passwords in it before you deploy."),
        ),
        Template(
            "prometheus-grafana",
            _("Prometheus and Grafana"),
            _("Figures that are gathered by the one and drawn by the other."),
        ),
        Template(
            "elasticsearch-logstash-kibana",
            _("Elasticsearch, Logstash and Kibana"),
            _("Logs that are read, kept and searched."),
        ),
        Template(
            "nginx-flask-mysql",
            _("Flask behind nginx"),
            _("A Python application with MariaDB and a proxy; you choose the images of what is built."),
        ),
        Template(
            "nginx-golang-postgres",
            _("Go behind nginx"),
            _("A Go application with PostgreSQL and a proxy; you choose the image of what is built."),
        ),
    )
}
"""The templates by name, in the order in which they are offered."""


def find_template(name: str) -> Template:
    """Return the template of a name; 404 fault otherwise."""
    template = TEMPLATES.get(name)
    if template is None:
        raise fault("not_found")
    return template


@cache
def _read(name: str) -> Mapping[str, str]:
    folder = FOLDER / name  # only ever a name of TEMPLATES
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in files}
