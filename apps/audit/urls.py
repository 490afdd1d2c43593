"""Lay out the address of the audit log."""

from django.urls import path

from apps.audit import views

urlpatterns = [path("settings/audit/", views.index, name="audit")]
