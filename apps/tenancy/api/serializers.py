"""Show and read organizations, projects, members and tokens."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.tenancy.api.fields import ProjectField
from apps.tenancy.models import ApiToken, Membership, Organization, Project, Role


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    """An organization that one belongs to; `current` is the one that requests act in."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = Organization
        fields = ["id", "slug", "name", "current", "created_at"]
        read_only_fields = fields

    def get_current(self, organization: Organization) -> bool:
        """Tell whether requests like this one act in it."""
        return bool(organization.pk == self.context["view"].principal.organization.pk)


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A project with the caller's role in it."""

    organization = serializers.SlugRelatedField(slug_field="slug", read_only=True)  # type: ignore[var-annotated]
    role = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = ["id", "slug", "name", "organization", "role", "policy", "created_at"]
        read_only_fields = fields

    def get_role(self, project: Project) -> str:
        """Return what the caller, with this token, is in the project."""
        role: Role = self.context["view"].principal.role_in(project)
        return role.value


class NewProjectSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What a new project needs."""

    slug = serializers.CharField(max_length=63)
    name = serializers.CharField(max_length=120)
    policy = serializers.DictField(required=False)


class ProjectChangeSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What can be changed of a project."""

    name = serializers.CharField(max_length=120, required=False)
    policy = serializers.DictField(required=False)


class RoleField(serializers.ChoiceField):
    """Read and show a role."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=Role.choices, **options)

    def to_internal_value(self, data: Any) -> Role:
        """Return the role."""
        return Role(super().to_internal_value(data))


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A user's role in the organization, or in one of its projects."""

    user = serializers.SerializerMethodField()
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)  # type: ignore[var-annotated]

    class Meta:
        model = Membership
        fields = ["id", "user", "project", "role", "created_at"]
        read_only_fields = fields

    def get_user(self, membership: Membership) -> dict[str, Any]:
        """Return who it is."""
        user = membership.user
        return {"id": str(user.pk), "username": user.username, "email": user.email, "active": user.is_active}


class NewMemberSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Whom to add; with a password, the user is created as well."""

    username = serializers.CharField(max_length=150)
    role = RoleField()
    project = ProjectField(required=False, allow_null=True)
    password = serializers.CharField(max_length=256, required=False, write_only=True, trim_whitespace=False)
    email = serializers.EmailField(required=False, allow_blank=True)


class MemberChangeSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Which role a member gets."""

    role = RoleField()


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without what makes it one; `prefix` is how to recognise it."""

    user = serializers.SlugRelatedField(slug_field="username", read_only=True)  # type: ignore[var-annotated]
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)  # type: ignore[var-annotated]

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "prefix",
            "user",
            "project",
            "role",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "created_at",
        ]
        read_only_fields = fields


class NewTokenSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What a new token may do, and until when."""

    name = serializers.CharField(max_length=120)
    role = RoleField()
    project = ProjectField(required=False, allow_null=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class IssuedTokenSerializer(TokenSerializer):
    """A new token with its text, which is shown this once."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields


class MeSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Who the caller is."""

    username = serializers.CharField()
    organization = serializers.DictField()
    role = serializers.CharField(help_text="for what belongs to the organization as a whole")
    projects = serializers.ListField(child=serializers.DictField())
    token = serializers.DictField(allow_null=True)
