"""Lay out the addresses of organizations, projects, members, tokens and problems."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from apps.tenancy.api import resources

router = SimpleRouter()
router.register("organizations", resources.OrganizationViewSet, basename="organization")
router.register("projects", resources.ProjectViewSet, basename="project")
router.register("members", resources.MemberViewSet, basename="member")
router.register("tokens", resources.TokenViewSet, basename="token")
urlpatterns = [
    path("me/", resources.MeView.as_view(), name="me"),
    path("problems/", resources.ProblemsView.as_view(), name="problems"),
    path("problems/<str:code>/", resources.ProblemView.as_view(), name="problem"),
    *router.urls,
]
