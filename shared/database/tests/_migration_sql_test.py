from __future__ import annotations

import pytest

from shared.database._migration_sql import harm_of_sql, tables_made


@pytest.mark.parametrize(
    ("sql", "harm"),
    [
        ("DROP TABLE a", "DROP TABLE"),
        ("drop  view v", "DROP VIEW"),
        ("DROP MATERIALIZED VIEW m", "DROP MATERIALIZED VIEW"),
        ("DROP TYPE mood", "DROP TYPE"),
        ("DROP DATABASE x", "DROP DATABASE"),
        ("DROP SCHEMA x CASCADE", "DROP SCHEMA"),
        ("DROP /* /* x */ y */ TABLE t", "DROP TABLE"),
        ("DROP -- x\n TABLE t", "DROP TABLE"),
        ("UPDATE a SET b = '--'; DROP TABLE t", "DROP TABLE"),
        ("TRUNCATE a", "TRUNCATE"),
        ("WITH x AS (DELETE FROM a RETURNING *) SELECT 1", "DELETE FROM"),
        ("MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN DELETE", "THEN DELETE"),
        ("ALTER TABLE a DETACH PARTITION b", "DETACH PARTITION"),
        ("ALTER TABLE users DROP email", "DROP of a column"),
        ("ALTER TABLE users DROP IF EXISTS email", "DROP of a column"),
        ('ALTER TABLE ONLY "s"."users"DROP"constraint"', "DROP of a column"),
        ("ALTER TABLE users ADD x int, DROP email", "DROP of a column"),
        ("ALTER TABLE users DROP COLUMN email", "DROP COLUMN"),
        ("ALTER TYPE t DROP ATTRIBUTE a", "ALTER TYPE"),
        ("ALTER TABLE t ALTER COLUMN a TYPE varchar(3)", "ALTER COLUMN ... TYPE"),
        ("ALTER TABLE t ALTER a SET DATA TYPE text", "ALTER COLUMN ... TYPE"),
        ("ALTER TABLE t ALTER a SET NOT NULL", "SET NOT NULL"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "RENAME"),
        ("ALTER TABLE t RENAME TO u", "RENAME"),
        ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", "RENAME"),
        ("ALTER TABLE t SET SCHEMA s", "RENAME"),
        ("UPDATE users SET email=NULL", "UPDATE ... SET ... = NULL"),
        ("UPDATE u SET a = 'x;y', b = CAST(NULL AS text)", "UPDATE ... SET"),
        ("UPDATE u SET (a, b) = (1, NULL)", "UPDATE ... SET"),
        ("ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)", "columns of t unique"),
        ("ALTER TABLE t ADD PRIMARY KEY (a)", "columns of t unique"),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY u ON ONLY s.t (a)",
            "columns of t unique",
        ),
        ("DO $$ BEGIN DROP TABLE t; END $$", "DROP TABLE"),
        ("DO 'BEGIN EXECUTE ''DROP TABLE t''; END'", "DROP TABLE"),
    ],
)
def test_harm(sql: str, harm: str) -> None:
    """However it is written."""
    assert harm in str(harm_of_sql(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 -- DROP TABLE a",
        "/* DROP TABLE a */ SELECT 1",
        "INSERT INTO log VALUES ('DROP TABLE a; it''s DELETE FROM b')",
        "INSERT INTO a VALUES ('DROP TABLE b') ON CONFLICT DO NOTHING",
        "COMMENT ON TABLE a IS E'\\'DROP TABLE b'",
        'SELECT "truncate_at" FROM a',
        "ALTER TABLE a DROP CONSTRAINT c",
        "ALTER TABLE a ALTER COLUMN b DROP NOT NULL",
        "ALTER TABLE a ALTER b DROP DEFAULT, ALTER c SET DEFAULT NULL",
        "ALTER TABLE a ALTER b DROP IDENTITY",
        "ALTER TABLE a ADD COLUMN type text",
        "ALTER TABLE type ADD b text",
        "ALTER TYPE mood ADD VALUE 'x'",
        "ALTER INDEX i RENAME TO j",
        "ALTER TABLE a RENAME CONSTRAINT b TO c",
        "UPDATE a SET b = NULLIF(b, '')",
        "UPDATE a SET b = 1 WHERE b IS NULL",
        "DROP INDEX i",
        "CREATE INDEX i ON a (b)",
        "CREATE TABLE a (b int UNIQUE); CREATE UNIQUE INDEX ON made (b)",
    ],
)
def test_no_harm(sql: str) -> None:
    """What looks like it, in literals and comments too."""
    assert harm_of_sql(sql, {"made"}) is None


def test_a_parameter_that_is_null() -> None:
    """It empties a column in an UPDATE, and nothing elsewhere."""
    assert "NULL" in str(harm_of_sql("UPDATE a SET b = ?", with_null=True))
    assert harm_of_sql("INSERT INTO a VALUES (?)", with_null=True) is None


def test_tables_that_are_made() -> None:
    """Without quotes and schema, as they are named later."""
    made = 'CREATE TEMP TABLE x (i int); create table if not exists "s"."y" (i int)'
    assert tables_made(made) == {"x", "y"}
