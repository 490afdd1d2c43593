"""Show audit entries."""

from __future__ import annotations

from rest_framework import serializers

from apps.audit.models import Entry


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """An entry with its place in the chain."""

    class Meta:
        model = Entry
        fields = [
            "sequence",
            "at",
            "actor",
            "actor_id",
            "action",
            "object_type",
            "object_id",
            "object_name",
            "data",
            "previous_hash",
            "hash",
        ]
        read_only_fields = fields
