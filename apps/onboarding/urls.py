"""Lay out the addresses of the pages of onboarding."""

from django.urls import path

from apps.onboarding import views

urlpatterns = [
    path("onboarding/", views.index, name="onboardings"),
    path("onboarding/new/", views.choose, name="onboarding-new"),
    path("onboarding/<uuid:onboarding_id>/", views.detail, name="onboarding"),
    path("onboarding/<uuid:onboarding_id>/plan/", views.plan, name="onboarding-plan"),
    path("onboarding/<uuid:onboarding_id>/discard/", views.discard, name="onboarding-discard"),
]
