import io
import json
import logging
import logging.config

import pytest
import structlog

from apps.tenancy.redaction import redact_text, remember_secret
from portal.logs import configure


@pytest.fixture
def lines():
    """Configure the pipeline as production does, and give back what it wrote, as objects."""
    stream = io.StringIO()
    config = configure("json", "INFO")
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.contextvars.clear_contextvars()
    logging.config.dictConfig(configure("console", "INFO"))


def test_a_line_is_one_object_with_the_operation_and_step_it_belongs_to(lines):
    with structlog.contextvars.bound_contextvars(operation_id="op-1", step="create machine:web-1"):
        structlog.get_logger("apps.operations.runner").info("step.started", attempt=2)
    (line,) = lines()
    assert line["event"] == "step.started"
    assert (line["operation_id"], line["step"], line["attempt"]) == ("op-1", "create machine:web-1", 2)
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_the_standard_library_goes_the_same_way(lines):
    logging.getLogger("some.library").warning("took %d tries", 3, extra={"cloud": "paris"})
    (line,) = lines()
    assert (line["event"], line["cloud"], line["logger"]) == ("took 3 tries", "paris", "some.library")


@pytest.mark.parametrize(
    "key", ["password", "db_password", "token", "api_token", "secret", "Authorization", "private_key", "cookie"]
)
def test_values_of_keys_that_name_a_secret_are_hidden(lines, key):
    structlog.get_logger("x").info("event", **{key: "hunter2hunter2"}, deep={"list": [{key: "hunter2hunter2"}]})
    assert "hunter2" not in json.dumps(lines())


def test_a_registered_secret_is_hidden_wherever_it_stands(lines):
    remember_secret("correct horse battery")
    structlog.get_logger("x").error("login as root with correct horse battery failed", note=["correct horse battery"])
    text = json.dumps(lines())
    assert "correct horse" not in text
    assert "login as root with (hidden) failed" in text


def test_a_traceback_is_cleaned_too(lines):
    remember_secret("staple-of-the-horse")
    try:
        raise ValueError("the password staple-of-the-horse was refused")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    (line,) = lines()
    assert "ValueError" in line["exception"]
    assert "staple-of-the-horse" not in json.dumps(line)


def test_short_values_do_not_blank_out_ordinary_words():
    remember_secret("a", "on")
    assert redact_text("an ordinary sentence on logs") == "an ordinary sentence on logs"


def test_the_longer_of_two_overlapping_secrets_is_hidden_whole():
    remember_secret("overlap", "overlap-and-more")
    assert redact_text("x overlap-and-more y") == "x (hidden) y"


def test_a_request_leaves_one_line_with_its_id_and_without_its_query(lines, client):
    response = client.get("/no/such/page?code=private", headers={"x-request-id": "client-made-id-1"})
    assert response.headers["X-Request-Id"] == "client-made-id-1"
    (line,) = [line for line in lines() if line["event"] == "request"]
    assert (line["status"], line["request_id"]) == (404, "client-made-id-1")
    assert "private" not in json.dumps(line)


def test_an_ill_formed_request_id_is_replaced(client):
    assert client.get("/healthz-not", headers={"x-request-id": "a\tb"}).headers["X-Request-Id"] != "a\tb"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/shared/{}/", "/api/v1/shared/{}/"])
def test_the_address_of_a_shared_drawing_is_hidden_also_before_somebody_signs_in(lines, client, address):
    token = "A" * 20 + "-_" + "b" * 21
    client.get(address.format(token))
    told = lines()
    assert any("/shared/(hidden)/" in str(line) for line in told)
    assert token not in json.dumps(told)
