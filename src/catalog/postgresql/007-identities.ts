/**
 * Migration 7 of the PostgreSQL catalog: each partition of `delta_files` has a unique index of file numbers from the
 * start, as its replica identity. With a publication FOR ALL TABLES the server refuses UPDATE and DELETE on a table
 * without a replica identity.
 * Never edited after a release.
 */
import type { Migration } from '../dialect-port.ts'
import { inHome, HOME, HOME_TEXT, SETTINGS } from './006-functions.ts'

const IDENTITIES = `
CREATE OR REPLACE FUNCTION ${HOME}.catalog_file_identity(relation text) RETURNS void ${SETTINGS} AS $f$
DECLARE
  place CONSTANT text := format('%s.%I', ${HOME_TEXT}, relation);
  number CONSTANT text := relation || '_no';
  first CONSTANT text := CASE relation WHEN 'delta_files_default' THEN 'table_id, ' ELSE '' END;
BEGIN
  EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON %s (%sfile_no)', number, place, first);
  EXECUTE format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', place, number);
END $f$;
REVOKE ALL ON FUNCTION ${HOME}.catalog_file_identity(text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION ${HOME}.catalog_file_partition_add(id text) RETURNS void ${SETTINGS} SET lock_timeout = '5s' AS $f$
DECLARE
  relation CONSTANT text := ${HOME}.catalog_file_partition_name(id);
  place CONSTANT text := format('%s.%I', ${HOME_TEXT}, relation);
BEGIN
  IF to_regclass(place) IS NOT NULL THEN
    -- A rollback left it behind, empty: with fewer indexes it fills faster.
    EXECUTE format('DROP INDEX IF EXISTS %1$s.%2$I, %1$s.%3$I, %1$s.%4$I', ${HOME_TEXT}, relation || '_key', relation || '_partition', relation || '_closed');
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %s (LIKE %s.delta_files INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', place, ${HOME_TEXT});
  PERFORM ${HOME}.catalog_file_identity(relation);
  EXECUTE format('ALTER TABLE %s.delta_files ATTACH PARTITION %s FOR VALUES IN (%L)', ${HOME_TEXT}, place, id);
END $f$;

DO $d$ DECLARE relation text;
BEGIN
  FOR relation IN
    SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = pg_catalog.to_regclass(${HOME_TEXT} || '.delta_files')
  LOOP
    PERFORM ${HOME}.catalog_file_identity(relation);
  END LOOP;
END $d$;
`

export const identities: Migration = { version: 7, name: 'identities', sql: inHome(IDENTITIES), breaking: false }
