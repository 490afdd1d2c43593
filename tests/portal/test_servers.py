import os

import psycopg
import redis


def test_the_session_has_a_postgresql_18_and_a_redis():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.info.server_version // 10_000 == 18
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping()
