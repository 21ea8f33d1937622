/**
 * Migration 6 of the PostgreSQL catalog: SECURITY DEFINER functions resolve no name in the catalog's schema. A login
 * that may create objects there could add an operator that matches better than the server's own (CVE-2018-1058). Names
 * of the catalog's relations are qualified with the schema instead. Never edited after a release.
 */
import type { Migration } from '../dialect-port.ts'

/** Placeholders in the texts below: the quoted name of the catalog's schema, and this name as a literal. */
export const HOME = '@home@'
export const HOME_TEXT = '@home text@'

export const SETTINGS = 'LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp'

const FUNCTIONS = `
CREATE OR REPLACE FUNCTION ${HOME}.catalog_file_partition_name(id text) RETURNS text LANGUAGE sql IMMUTABLE
  SET search_path TO pg_catalog, pg_temp AS $f$ SELECT 'delta_files_' || md5(id) $f$;

CREATE OR REPLACE FUNCTION ${HOME}.catalog_file_index(relation text) RETURNS void ${SETTINGS} AS $f$
DECLARE
  place CONSTANT text := format('%s.%I', ${HOME_TEXT}, relation);
  -- All rows of another partition are of one table: its id in front would make every index larger and slower to build.
  first CONSTANT text := CASE relation WHEN 'delta_files_default' THEN 'table_id, ' ELSE '' END;
BEGIN
  EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON %s (%sfile_no)', relation || '_no', place, first);
  EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (key_hash)', relation || '_key', place);
  EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (%spartition_no, removed_version, added_version)', relation || '_partition', place, first);
  EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (%sremoved_version, added_version) WHERE removed_version IS NOT NULL', relation || '_closed', place, first);
END $f$;

CREATE OR REPLACE FUNCTION ${HOME}.catalog_file_partition_add(id text) RETURNS void ${SETTINGS} SET lock_timeout = '5s' AS $f$
DECLARE
  relation CONSTANT text := ${HOME}.catalog_file_partition_name(id);
  place CONSTANT text := format('%s.%I', ${HOME_TEXT}, relation);
BEGIN
  IF to_regclass(place) IS NOT NULL THEN
    -- A rollback left it behind, empty: without indexes it fills faster.
    EXECUTE format('DROP INDEX IF EXISTS %1$s.%2$I, %1$s.%3$I, %1$s.%4$I, %1$s.%5$I', ${HOME_TEXT}, relation || '_no', relation || '_key', relation || '_partition', relation || '_closed');
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %s (LIKE %s.delta_files INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', place, ${HOME_TEXT});
  EXECUTE format('ALTER TABLE %s.delta_files ATTACH PARTITION %s FOR VALUES IN (%L)', ${HOME_TEXT}, place, id);
END $f$;

CREATE OR REPLACE FUNCTION ${HOME}.catalog_file_partition_index(id text) RETURNS void ${SETTINGS} AS $f$
DECLARE
  relation text;
BEGIN
  FOR relation IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass(${HOME_TEXT} || '.delta_files')
      AND (id IS NULL AND c.relname NOT IN (SELECT ${HOME}.catalog_file_partition_name(t.table_id) FROM ${HOME}.delta_tables t WHERE t."cursor" IS NOT NULL)
        OR c.relname = ${HOME}.catalog_file_partition_name(id))
      AND (SELECT count(*) FROM pg_index x WHERE x.indrelid = c.oid) < 4
  LOOP
    PERFORM ${HOME}.catalog_file_index(relation);
  END LOOP;
END $f$;

CREATE OR REPLACE FUNCTION ${HOME}.catalog_analyze() RETURNS void ${SETTINGS} AS $f$
DECLARE
  relation text;
BEGIN
  FOR relation IN
    SELECT s.relname FROM pg_stat_user_tables s
    WHERE quote_ident(s.schemaname) = ${HOME_TEXT} AND s.relname ~ '^(delta_|migration_status$)' AND s.n_mod_since_analyze > 0
  LOOP
    EXECUTE format('ANALYZE %s.%I', ${HOME_TEXT}, relation);
  END LOOP;
END $f$;
`

const home = 'pg_catalog.quote_ident(pg_catalog.current_schema())'

/** Statements that run with the catalog's schema in place of `HOME` and `HOME_TEXT`. */
export function inHome(statements: string): string {
  return `DO $do$ BEGIN
  EXECUTE pg_catalog.replace(pg_catalog.replace($sql$${statements}$sql$, '${HOME_TEXT}', pg_catalog.quote_literal(${home})), '${HOME}', ${home});
END $do$;
`
}

export const functions: Migration = { version: 6, name: 'functions', sql: inHome(FUNCTIONS), breaking: false }
