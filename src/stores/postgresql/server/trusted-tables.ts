/**
 * Tables of ours that another role could have planted: what it owns, or has put a trigger on, runs its code as the login that writes there (CVE-2018-1058 is of this
 * kind). One rule for ledgers, catalogs, archives, streams and queues.
 *
 * The statements name every function and operator by its schema, since they run before anything in the database is trusted.
 */
import { SluiceError } from '../../../shared/errors.ts'
import { literal, quotedName } from '../../../shared/sql-text.ts'
import { OWN_TABLES, PLAIN_NAMES } from '../../common/own-tables.ts'
import type { TableName } from '../../../model/copy/column-type.ts'
import type { LedgerPlace } from '../../../model/copy/port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { tableSql } from './sql.ts'
import { belongs, isStranger, TRUSTED } from './trusted-roles.ts'

/** `read`: rows are read alone, and nothing of the table may run. `write`: triggers, rules, defaults, checks and indexes of the table run, too. */
type Use = 'read' | 'write'

/** A table that each ledger of a kind has, by which one is found. */
const MARKS = { archive: 'migration_archives', copy: 'migration_ledger' } as const

/** SQL: the OID of a catalog of the server, as `pg_depend` has it. */
const catalogOid = (name: string): string => `'pg_catalog.${name}'::pg_catalog.regclass::pg_catalog.oid`

/**
 * SQL over `c`, a relation: why its rows may not even be read, or NULL. Views, foreign tables and policies run code, and so may much of what a role adds to a table of
 * its own: casts of its types, and functions in indexes, statistics and partition keys, which the planner computes in advance. What comes with the server is in no
 * `pg_depend`.
 */
const NOT_PLAIN = `CASE
      WHEN NOT (c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::pg_catalog."char"[])) THEN 'it is a view or a foreign table'
      WHEN c.relrowsecurity THEN 'it has row level security, which hides rows'
      WHEN ${isStranger('c.relowner')} AND EXISTS (
        WITH tree (oid) AS (SELECT c.oid UNION SELECT p.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree(c.oid::pg_catalog.regclass) p)
        SELECT FROM pg_catalog.pg_class m JOIN tree ON tree.oid OPERATOR(pg_catalog.=) m.oid
        WHERE m.relkind OPERATOR(pg_catalog.=) 'f'::pg_catalog."char" OR (m.relhassubclass AND m.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char")
        UNION ALL SELECT FROM pg_catalog.pg_depend d
        WHERE d.refclassid OPERATOR(pg_catalog.=) ANY (ARRAY[${['pg_type', 'pg_proc', 'pg_operator', 'pg_opclass'].map(catalogOid).join(', ')}])
          AND (d.classid OPERATOR(pg_catalog.=) ${catalogOid('pg_class')} AND d.objid OPERATOR(pg_catalog.=) ANY (ARRAY(
              SELECT tree.oid FROM tree UNION ALL SELECT i.indexrelid FROM pg_catalog.pg_index i JOIN tree ON tree.oid OPERATOR(pg_catalog.=) i.indrelid))
            OR d.classid OPERATOR(pg_catalog.=) ${catalogOid('pg_statistic_ext')} AND d.objid OPERATOR(pg_catalog.=) ANY (ARRAY(
              SELECT x.oid FROM pg_catalog.pg_statistic_ext x JOIN tree ON tree.oid OPERATOR(pg_catalog.=) x.stxrelid))))
        THEN 'it belongs to another role, and has a type, a function or a child table that may run code when it is read' END`

/** Functions that catalogs call by name. */
const OWN_FUNCTIONS = `UNION ALL SELECT n.nspname, p.proname, ${belongs('p.proowner')}
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE pg_catalog.starts_with(p.proname::pg_catalog.text, 'catalog_') AND pg_catalog.pg_function_is_visible(p.oid) AND ${isStranger('p.proowner')}`

/** Gives a row for each table that may not be used: schema, name, and why. */
function tablesSql(use: Use, names: readonly string[]): string {
  const written = `WHEN ${isStranger('c.relowner')} THEN ${belongs('c.relowner')}
      WHEN EXISTS (
        SELECT FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) g.tgfoid
        WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT g.tgisinternal AND ${isStranger('p.proowner')})
        THEN 'it has a trigger whose function belongs to another role'`
  return `${TRUSTED}
  SELECT s.schema, s.name, s.why FROM (
    SELECT n.nspname AS schema, c.relname AS name, ${use === 'write' ? `coalesce(${NOT_PLAIN}, CASE ${written} END)` : NOT_PLAIN} AS why
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[${names.map(literal).join(', ')}]::pg_catalog.name[])
      AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'v', 'm', 'f']::pg_catalog."char"[])
      AND pg_catalog.pg_table_is_visible(c.oid)
    ${use === 'write' ? OWN_FUNCTIONS : ''}) s
  WHERE s.why IS NOT NULL LIMIT 1`
}

/** Gives a row where our schema of the queue holds what may not be read; jobs are graphile-worker's, and what only reads never asks for them. */
const QUEUE_READ_SQL = `${TRUSTED}
  SELECT s.schema, s.name, s.why FROM (
    SELECT n.nspname AS schema, c.relname AS name, ${NOT_PLAIN} AS why
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE n.nspname OPERATOR(pg_catalog.=) 'sluice_queue' AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'v', 'm', 'f']::pg_catalog."char"[])) s
  WHERE s.why IS NOT NULL LIMIT 1`

/**
 * Gives a row where a schema of the queue, a table or a function in one belongs to another role. Its owner is named last only to a login that could not have made a
 * queue here: one that could has no use for the rights of that role.
 */
const QUEUE_WRITE_SQL = `${TRUSTED},
  found (schema, name, owner) AS (
    SELECT n.nspname, ''::pg_catalog.name, n.nspowner FROM pg_catalog.pg_namespace n
    UNION ALL SELECT n.nspname, c.relname, c.relowner
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    UNION ALL SELECT n.nspname, p.proname, p.proowner
      FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace)
  SELECT f.schema, f.name, ${belongs('f.owner')},
    CASE WHEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') THEN NULL ELSE pg_catalog.pg_get_userbyid(f.owner) END,
    current_user FROM found f
  WHERE f.schema OPERATOR(pg_catalog.=) ANY (ARRAY['sluice_queue', 'graphile_worker']::pg_catalog.name[]) AND ${isStranger('f.owner')} LIMIT 1`

/**
 * Ledgers of a kind that no session of this login finds by its search_path. Any role may plant a table of that name: one counts for a table only where its owner
 * is trusted, or may archive or fill the table itself.
 * @param table all ledgers without it, and where it is gone
 */
export async function otherLedgers(
  ask: Ask,
  kind: keyof typeof MARKS,
  table: TableName | null,
): Promise<readonly LedgerPlace[]> {
  const names = OWN_TABLES.filter(({ owner, only }) => owner === kind && only === undefined).map(({ name }) => name)
  const of = table === null ? 'NULL' : `pg_catalog.to_regclass(${literal(tableSql(table))})`
  const rows = await ask(`${TRUSTED},
  ledgers (schema, space, owner) AS (
    SELECT n.nspname, n.oid, c.relowner
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.=) ${literal(MARKS[kind])} AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::pg_catalog."char"[])
      AND c.relpersistence OPERATOR(pg_catalog.<>) 't' AND NOT pg_catalog.pg_table_is_visible(c.oid))
  SELECT l.schema, pg_catalog.has_schema_privilege(l.space, 'USAGE') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_class c
    WHERE c.relnamespace OPERATOR(pg_catalog.=) l.space AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[${names.map(literal).join(', ')}]::pg_catalog.name[])
      AND (c.relrowsecurity OR NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')))
  FROM ledgers l LEFT JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) ${of}
  WHERE t.oid IS NULL OR NOT ${isStranger('l.owner')} OR pg_catalog.pg_has_role(l.owner, t.relowner, 'MEMBER')
  ORDER BY 1`)
  return rows.map(([schema, isReadable]) => ({ schema: String(schema), isReadable: isReadable === 't' }))
}

type Ask = (sql: string) => Promise<readonly SqlRow[]>

/**
 * @param names the tables that are asked about; all of ledgers and catalogs without it
 * @throws SluiceError TABLE_REFUSED where one that is found by its name alone must not be used so
 */
export async function refuseStrangers(
  ask: Ask,
  use: Use,
  label: string,
  names: readonly string[] = PLAIN_NAMES,
): Promise<void> {
  const [row] = await ask(tablesSql(use, names))
  if (row !== undefined) throw refused(row, label)
}

/** @throws SluiceError TABLE_REFUSED where the schemas of the queue hold what must not be used so: read where it is no table, written to where it belongs to a role that is not trusted */
export async function refuseStrangersInQueue(ask: Ask, use: Use, label: string): Promise<void> {
  const [row] = await ask(use === 'read' ? QUEUE_READ_SQL : QUEUE_WRITE_SQL)
  if (row !== undefined) throw refused(row, label)
}

function refused([schema, name, why, owner = null, user = null]: SqlRow, where: string): SluiceError {
  const what = name === '' ? `schema ${String(schema)}` : `${String(schema)}.${String(name)}`
  const joins =
    owner === null
      ? 'connect as its owner, where you trust that role'
      : `where ${String(owner)} is the role that was made for this queue: GRANT ${quotedName(String(owner))} TO ${quotedName(String(user))}`
  return new SluiceError('TABLE_REFUSED', `${what} has a name of sluice's own, and is not used`, {
    where,
    reason: `${String(why)}; what it runs would run as this login`,
    hint: `${joins}; else drop, rename or ALTER … OWNER TO it; or use another schema`,
  })
}
