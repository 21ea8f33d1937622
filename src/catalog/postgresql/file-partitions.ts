/**
 * Partitions of delta_files in PostgreSQL: one for all small tables, and a separate one for each large table, which is
 * loaded without indexes and indexed after the load. They are list partitions: for a thousand small tables, query
 * planning over hash partitions would cost more than the partitions save. The functions run with their owner's rights,
 * so that a login that imports needs no right to create or drop.
 */
export const filePartitions = `
-- The functions below keep this path: a temporary table of their caller must not stand before a relation.
SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(current_schema()) || ', pg_temp', true);
CREATE TABLE IF NOT EXISTS delta_files_default PARTITION OF delta_files DEFAULT;
CREATE OR REPLACE FUNCTION catalog_file_partition_name(id text) RETURNS text LANGUAGE sql IMMUTABLE
  AS $f$ SELECT 'delta_files_' || pg_catalog.md5(id) $f$;

CREATE OR REPLACE FUNCTION catalog_file_index(relation text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path FROM CURRENT AS $f$
BEGIN
  IF relation <> 'delta_files_default' THEN
    -- All rows are of one table: its id in front would make every index larger and slower to build.
    EXECUTE pg_catalog.format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON %I (file_no)', relation || '_no', relation);
    EXECUTE pg_catalog.format('CREATE INDEX IF NOT EXISTS %I ON %I (key_hash)', relation || '_key', relation);
    EXECUTE pg_catalog.format('CREATE INDEX IF NOT EXISTS %I ON %I (partition_no, removed_version, added_version)', relation || '_partition', relation);
    EXECUTE pg_catalog.format('CREATE INDEX IF NOT EXISTS %I ON %I (removed_version, added_version) WHERE removed_version IS NOT NULL', relation || '_closed', relation);
    RETURN;
  END IF;
  EXECUTE pg_catalog.format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON %I (table_id, file_no)', relation || '_no', relation);
  EXECUTE pg_catalog.format('CREATE INDEX IF NOT EXISTS %I ON %I (key_hash)', relation || '_key', relation);
  EXECUTE pg_catalog.format('CREATE INDEX IF NOT EXISTS %I ON %I (table_id, partition_no, removed_version, added_version)', relation || '_partition', relation);
  EXECUTE pg_catalog.format('CREATE INDEX IF NOT EXISTS %I ON %I (table_id, removed_version, added_version) WHERE removed_version IS NOT NULL', relation || '_closed', relation);
END $f$;
SELECT catalog_file_index('delta_files_default');

CREATE OR REPLACE FUNCTION catalog_file_partition_add(id text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path FROM CURRENT SET lock_timeout = '5s' AS $f$
DECLARE
  relation text := catalog_file_partition_name(id);
BEGIN
  IF pg_catalog.to_regclass(pg_catalog.quote_ident(relation)) IS NOT NULL THEN
    -- A rollback left it behind, empty: without indexes it fills faster.
    EXECUTE pg_catalog.format('DROP INDEX IF EXISTS %I, %I, %I, %I', relation || '_no', relation || '_key', relation || '_partition', relation || '_closed');
    RETURN;
  END IF;
  EXECUTE pg_catalog.format('CREATE TABLE %I (LIKE delta_files INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', relation);
  EXECUTE pg_catalog.format('ALTER TABLE delta_files ATTACH PARTITION %I FOR VALUES IN (%L)', relation, id);
END $f$;

CREATE OR REPLACE FUNCTION catalog_file_partition_index(id text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path FROM CURRENT AS $f$
DECLARE
  relation text;
BEGIN
  FOR relation IN
    SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'delta_files'::pg_catalog.regclass
      AND (id IS NULL AND c.relname NOT IN (SELECT catalog_file_partition_name(t.table_id) FROM delta_tables t WHERE t."cursor" IS NOT NULL)
        OR c.relname = catalog_file_partition_name(id))
      AND (SELECT count(*) FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid) < 4
  LOOP
    PERFORM catalog_file_index(relation);
  END LOOP;
END $f$;

CREATE OR REPLACE FUNCTION catalog_analyze() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path FROM CURRENT AS $f$
DECLARE
  relation text;
BEGIN
  FOR relation IN
    SELECT s.relname FROM pg_catalog.pg_stat_user_tables s
    WHERE s.schemaname = current_schema() AND s.relname ~ '^(delta_|migration_status$)' AND s.n_mod_since_analyze > 0
  LOOP
    EXECUTE pg_catalog.format('ANALYZE %I', relation);
  END LOOP;
END $f$;
REVOKE ALL ON FUNCTION catalog_file_index(text), catalog_file_partition_add(text), catalog_file_partition_index(text), catalog_analyze() FROM PUBLIC;
`
