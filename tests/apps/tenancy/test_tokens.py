import base64
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.tenancy import services, tokens
from apps.tenancy.access import Principal, System
from apps.tenancy.faults import Fault
from apps.tenancy.models import ApiToken, Membership, Role


def ring(*versions):
    return ",".join(f"{version}:{base64.b64encode(bytes([version]) * 32).decode()}" for version in versions)


def refusal(text):
    with pytest.raises(Fault) as caught:
        tokens.authenticate(text)
    assert caught.value.status == 401
    return caught.value.code


def test_a_token_is_accepted_and_says_whom_it_stands_for(alice):
    token = tokens.authenticate(alice.token_text)
    assert (token.user, token.organization, token.role) == (alice.user, alice.organization, Role.ADMIN)


def test_the_database_does_not_hold_what_is_needed_to_make_the_token(alice):
    secret = alice.token_text.split("_")[2]
    row = ApiToken.objects.values().get(pk=alice.token.pk)
    assert secret not in str(row)
    assert len(row["digest"]) == 64


def test_any_change_of_the_text_is_refused(alice):
    text = alice.token_text
    for position in (0, 8, len(text) - 1, len(text) - 20):
        other = "b" if text[position] != "b" else "c"
        assert refusal(text[:position] + other + text[position + 1 :]) == "token.invalid"
    for wrong in ("", "escale_", "escale__", text + "x", text[:-1], text + "\n", text.upper(), "escale_\x00_x"):
        assert refusal(wrong) == "token.invalid"


def test_an_expired_token_says_so_only_to_who_knows_its_secret(alice):
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refusal(alice.token_text) == "token.expired"
    assert refusal(alice.token_text[:-1] + "_"[:0] + ("a" if alice.token_text[-1] != "a" else "b")) == "token.invalid"


def test_a_revoked_token_is_refused_from_then_on(alice):
    services.revoke_token(alice.principal, alice.token)
    assert refusal(alice.token_text) == "token.invalid"


def test_a_user_who_is_switched_off_has_no_token_either(alice):
    alice.user.is_active = False
    alice.user.save()
    assert refusal(alice.token_text) == "token.invalid"


def test_a_token_of_somebody_who_left_opens_nothing(alice, bob):
    Membership.objects.filter(user=bob.user).delete()
    assert refusal(bob.token_text) == "token.no_access"


def test_the_last_use_is_noted_but_not_at_every_request(alice, django_assert_num_queries):
    tokens.authenticate(alice.token_text)
    first = ApiToken.objects.get(pk=alice.token.pk).last_used_at
    assert first is not None
    with django_assert_num_queries(2):  # the token, the roles: no write
        tokens.authenticate(alice.token_text)
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    tokens.authenticate(alice.token_text)
    assert ApiToken.objects.get(pk=alice.token.pk).last_used_at > timezone.now() - timedelta(minutes=1)


def test_a_token_moves_to_the_newest_pepper_when_it_is_used(alice, settings):
    settings.ESCALE_KEYS = ring(1)
    _, text = services.issue_token(alice.principal, "old", Role.VIEWER)
    settings.ESCALE_KEYS = ring(2, 1)
    token = tokens.authenticate(text)
    assert ApiToken.objects.get(pk=token.pk).pepper_version == 2
    settings.ESCALE_KEYS = ring(2)
    assert tokens.authenticate(text).pk == token.pk


def test_a_token_whose_pepper_is_gone_is_refused(alice, settings):
    settings.ESCALE_KEYS = ring(1)
    _, text = services.issue_token(alice.principal, "old", Role.VIEWER)
    settings.ESCALE_KEYS = ring(2)
    assert refusal(text) == "token.invalid"


def test_nobody_issues_a_token_that_may_do_more_than_they_may(bob):
    with pytest.raises(Fault) as caught:
        services.issue_token(bob.principal, "strong", Role.OPERATOR)
    assert caught.value.code == "token.role_too_high"


def test_a_token_issues_only_tokens_like_itself_or_weaker(alice, shop):
    expiry = timezone.now() + timedelta(days=1)
    narrow, _ = services.issue_token(alice.principal, "ci", Role.ARCHITECT, project=shop, expires_at=expiry)
    by_token = Principal(alice.user, alice.organization, shop, narrow)
    child, _ = services.issue_token(by_token, "child", Role.ARCHITECT)
    assert (child.project, child.expires_at) == (shop, expiry)
    with pytest.raises(Fault):
        services.issue_token(by_token, "strong", Role.ADMIN)


def test_a_token_for_a_project_of_others_cannot_be_had(alice, attic):
    with pytest.raises(Fault) as caught:
        services.issue_token(alice.principal, "theirs", Role.VIEWER, project=attic)
    assert caught.value.status == 404


def test_only_the_owner_and_administrators_revoke_a_token(alice, bob, viewer, charlie):
    for stranger in (viewer, charlie):
        with pytest.raises(Fault):
            services.revoke_token(stranger.principal, bob.token)
    assert tokens.authenticate(bob.token_text)
    services.revoke_token(alice.principal, bob.token)
    services.revoke_token(bob.principal, bob.token)


def test_the_weaker_of_the_roles_of_token_and_user_counts(alice, bob, shop):
    token, _ = services.issue_token(System(bob.organization), "strong", Role.ARCHITECT, user=bob.user)
    services.change_role(alice.principal, Membership.objects.get(user=bob.user), Role.VIEWER)
    assert Principal(bob.user, bob.organization, None, token).role_in(shop) == Role.VIEWER
