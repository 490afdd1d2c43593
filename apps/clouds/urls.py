"""Lay out the addresses of the pages on clouds."""

from django.urls import path

from apps.clouds import views

urlpatterns = [
    path("clouds/", views.index, name="clouds"),
    path("clouds/new/", views.new, name="cloud-new"),
    path("clouds/certificate/", views.certificate, name="cloud-certificate"),
    path("clouds/offers/<uuid:grant_id>/", views.answer, name="cloud-offer"),
    path("clouds/<slug:name>/", views.detail, name="cloud"),
    path("clouds/<slug:name>/edit/", views.edit, name="cloud-edit"),
    path("clouds/<slug:name>/credential/", views.credential, name="cloud-credential"),
    path("clouds/<slug:name>/sharing/", views.share, name="cloud-share"),
    path("clouds/<slug:name>/test/", views.test, name="cloud-test"),
    path("clouds/<slug:name>/read/", views.read, name="cloud-read"),
    path("clouds/<slug:name>/switch/", views.switch, name="cloud-switch"),
    path("clouds/<slug:name>/remove/", views.remove, name="cloud-remove"),
]
