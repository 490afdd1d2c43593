"""The forms of operations, steps and events in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.reverse import reverse

from apps.operations import showing, states
from apps.operations.models import Event, Operation, Step
from apps.tenancy.access import Principal


class ErrorSerializer(serializers.Serializer):
    """Why it failed: the root cause only. `message` says what, why, and what to do now."""

    code = serializers.CharField()
    message = serializers.CharField()
    detail = serializers.CharField(required=False)
    step = serializers.CharField(required=False, help_text="Key of the step that failed.")
    title = serializers.CharField(required=False)
    hint = serializers.CharField(required=False)


class SubjectSerializer(serializers.Serializer):
    """What an operation is about."""

    type = serializers.CharField()
    id = serializers.UUIDField()


class CountsSerializer(serializers.Serializer):
    """How many steps there are and how many have succeeded; `undo_*` counts the compensations of a rollback."""

    total = serializers.IntegerField()
    done = serializers.IntegerField()
    undo_total = serializers.IntegerField()
    undo_done = serializers.IntegerField()


class LinksSerializer(serializers.Serializer):
    """Addresses of what belongs to an operation."""

    self = serializers.CharField()
    steps = serializers.CharField()
    events = serializers.CharField()
    cancel = serializers.CharField()
    retry = serializers.CharField()
    rollback = serializers.CharField()


@extend_schema_serializer(component_name="ProjectReference")
class ProjectSerializer(serializers.Serializer):
    """The project that an operation belongs to."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class OperationSerializer(serializers.ModelSerializer[Operation]):
    """One piece of work on the outside world, as lists show it."""

    project = serializers.SerializerMethodField()
    subject = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    steps = serializers.SerializerMethodField()
    percent = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=states.OPERATION_STATES)

    class Meta:
        model = Operation
        fields = [
            "id",
            "kind",
            "title",
            "state",
            "percent",
            "steps",
            "error",
            "project",
            "subject",
            "cloud_id",
            "actor",
            "cancel_mode",
            "last_seq",
            "created_at",
            "started_at",
            "finished_at",
            "links",
        ]

    @extend_schema_field(ProjectSerializer(allow_null=True))
    def get_project(self, operation: Operation) -> dict[str, str] | None:
        """Return the project's id and slug."""
        project = operation.project
        return {"id": str(project.pk), "name": project.slug} if project is not None else None

    @extend_schema_field(SubjectSerializer(allow_null=True))
    def get_subject(self, operation: Operation) -> dict[str, str] | None:
        """Return what the operation is about."""
        if not operation.subject_type:
            return None
        return {"type": operation.subject_type, "id": str(operation.subject_id)}

    @extend_schema_field(ErrorSerializer(allow_null=True))
    def get_error(self, operation: Operation) -> dict[str, Any] | None:
        """Return the root cause."""
        return operation.error

    @extend_schema_field(CountsSerializer())
    def get_steps(self, operation: Operation) -> dict[str, int]:
        """Return the counts that the operation itself keeps."""
        return {
            "total": operation.steps_total,
            "done": operation.steps_done,
            "undo_total": operation.undo_total,
            "undo_done": operation.undo_done,
        }

    def get_percent(self, operation: Operation) -> int:
        """Return how far it is, by whole steps; during a rollback, how far that is."""
        undoing = operation.state in (states.REVERTING, states.REVERTED, states.REVERT_FAILED)
        done, total = operation.steps_done, operation.steps_total
        if undoing and operation.undo_total:
            done, total = operation.undo_done, operation.undo_total
        if operation.state in (states.SUCCEEDED, states.REVERTED):
            return 100
        return min(99, 100 * done // total) if total else 0

    @extend_schema_field(LinksSerializer())
    def get_links(self, operation: Operation) -> dict[str, str]:
        """Return the addresses of what belongs to it."""
        own = reverse("operation-detail", kwargs={"id": operation.pk})
        return {"self": own, **{name: f"{own}{name}/" for name in ("steps", "events", "cancel", "retry", "rollback")}}


class CanSerializer(serializers.Serializer):
    """What the caller may do about the operation in its present state."""

    cancel = serializers.BooleanField()
    retry = serializers.BooleanField()
    rollback = serializers.BooleanField()


class OperationDetailSerializer(OperationSerializer):
    """An operation with the states of its steps counted, and what may be done about it."""

    states = serializers.SerializerMethodField(help_text="How many steps of the plan are in each state.")
    can = serializers.SerializerMethodField()

    class Meta(OperationSerializer.Meta):
        fields = [*OperationSerializer.Meta.fields, "states", "can"]

    def get_percent(self, operation: Operation) -> int:
        """Return how far it is, with the percentages of the tasks under way."""
        return showing.progress(operation).percent

    def get_states(self, operation: Operation) -> dict[str, int]:
        """Return the number of steps by state."""
        from django.db.models import Count

        rows = operation.steps.filter(undoes__isnull=True).order_by()
        return dict(rows.values_list("state").annotate(number=Count("id")))

    @extend_schema_field(CanSerializer())
    def get_can(self, operation: Operation) -> dict[str, bool]:
        """Return what the caller may do now."""
        principal: Principal = self.context["view"].principal
        may = showing.abilities(principal, operation)
        return {
            "cancel": may.stop or may.stop_and_undo,
            "retry": may.retry or may.resume_undo,
            "rollback": may.undo or may.resume_undo,
        }


class StepSerializer(serializers.ModelSerializer[Step]):
    """One call on a cloud. `undoes` is the key of the step that a compensation takes back."""

    undoes = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=states.STEP_STATES)
    depends_on = serializers.ListField(child=serializers.CharField())
    error = serializers.SerializerMethodField()
    resource = serializers.CharField(source="group", help_text="Key of the resource that it works on.")
    services = serializers.ListField(
        child=serializers.CharField(), help_text="Services of the drawing that stand on that resource."
    )

    class Meta:
        model = Step
        fields = [
            "id",
            "key",
            "position",
            "title",
            "group",
            "resource",
            "services",
            "verb",
            "change",
            "state",
            "depends_on",
            "undoes",
            "progress",
            "message",
            "error",
            "result",
            "attempt",
            "max_attempts",
            "due_at",
            "started_at",
            "finished_at",
        ]

    def get_undoes(self, step: Step) -> str | None:
        """Return the key of the step that this one takes back."""
        return step.undoes.key if step.undoes is not None else None

    @extend_schema_field(ErrorSerializer(allow_null=True))
    def get_error(self, step: Step) -> dict[str, Any] | None:
        """Return the last error."""
        return step.error


class EventSerializer(serializers.ModelSerializer[Event]):
    """Something that happened; `seq` has no gaps and is the cursor.

    `type`: operation.state {state}, step.state {state, message, error, attempt}, step.progress {progress, message},
    step.log {line}.
    """

    class Meta:
        model = Event
        fields = ["seq", "at", "type", "step_key", "data"]


class CancelSerializer(serializers.Serializer):
    """How to cancel."""

    mode = serializers.ChoiceField(
        choices=["stop", "revert"],
        default="stop",
        help_text="stop: start nothing more, cancel open tasks. revert: then take back what was done.",
    )
