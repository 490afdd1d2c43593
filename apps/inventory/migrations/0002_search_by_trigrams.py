from django.db import migrations

# Texts are searched by any part of them, which only an index of trigrams serves. PostgreSQL ships the extension, and
# lets the owner of a database make it; where it is not installed, the search reads all rows of the clouds instead.
FORWARD = """
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX IF NOT EXISTS inventory_machine_search ON inventory_machine USING gin (search gin_trgm_ops);
        CREATE INDEX IF NOT EXISTS inventory_thing_search ON inventory_thing USING gin (search gin_trgm_ops);
    END IF;
EXCEPTION WHEN insufficient_privilege OR undefined_object OR undefined_file THEN
    RAISE NOTICE 'pg_trgm cannot be used: searching the inventory reads all rows';
END
$$;
"""
BACKWARD = """
DROP INDEX IF EXISTS inventory_machine_search;
DROP INDEX IF EXISTS inventory_thing_search;
"""


class Migration(migrations.Migration):

    dependencies = [("inventory", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
