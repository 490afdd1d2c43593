"""Lay out the addresses of signing in, of moving between projects, and of the settings."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from apps.tenancy import views

urlpatterns = [
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("enter/", views.enter, name="enter"),
    path("language/", set_language, name="language"),
    path("settings/", views.settings_start, name="settings"),
    path("settings/profile/", views.profile, name="profile"),
    path("settings/theme/", views.choose_theme, name="theme"),
    path("settings/tokens/", views.tokens, name="tokens"),
    path("settings/tokens/<uuid:token_id>/revoke/", views.revoke_token, name="token-revoke"),
    path("settings/members/", views.members, name="members"),
    path("settings/members/new/", views.new_user, name="user-new"),
    path("settings/members/<uuid:membership_id>/", views.change_member, name="member"),
    path("settings/projects/", views.projects, name="projects"),
]
