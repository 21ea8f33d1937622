/**
 * Checks if another role could have planted tables of sluice. A table of such a role, or a trigger with a function of
 * such a role, runs that role's code with the rights of the login that writes (as in CVE-2018-1058). The rule is the
 * same for ledgers, catalogs, archives, streams and queues. The statements of this file qualify every function and
 * operator, because they run before any check.
 */
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral, quotedName } from '../../../shared/sql-text.ts'
import { OWN_TABLES, PLAIN_NAMES } from '../../common/own-tables.ts'
import type { TableName } from '../../../model/copy/column-type.ts'
import type { LedgerPlace } from '../../../model/copy/ledgers-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { tableSql } from './sql.ts'
import { belongs, isStranger, TRUSTED } from './trusted-roles.ts'

/** For each kind of ledger, the name of a table that every ledger of this kind has. Ledgers are found by this name. */
const MARKS = { archive: 'migration_archives', copy: 'migration_ledger' } as const

/** SQL expression: OID of a system catalog, as in `pg_depend`. */
const catalogOid = (name: string): string => `'pg_catalog.${name}'::pg_catalog.regclass::pg_catalog.oid`

/** Catalogs of objects that a part of a table may depend on without running code. */
const PASSIVE_CATALOGS = ['pg_class', 'pg_constraint', 'pg_namespace', 'pg_publication'].map(catalogOid).join(', ')

/**
 * SQL condition over a relation `c`: a part of it depends on an object that is not built in. Built-in objects are not
 * in `pg_depend`. Parts are columns, defaults, checks, indexes, statistics, policies, rules, triggers and partitions,
 * at any depth. Reading the relation may run code of such an object, even during planning.
 */
const USES_OTHER_OBJECTS = `EXISTS (
        WITH RECURSIVE parts (class, oid) AS (
          SELECT ${catalogOid('pg_class')}, c.oid
          UNION SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
            JOIN parts p ON p.class OPERATOR(pg_catalog.=) d.refclassid AND p.oid OPERATOR(pg_catalog.=) d.refobjid
            WHERE d.deptype OPERATOR(pg_catalog.=) ANY (ARRAY['a', 'i', 'P', 'S']::pg_catalog."char"[]))
        SELECT FROM pg_catalog.pg_depend d JOIN parts p ON p.class OPERATOR(pg_catalog.=) d.classid AND p.oid OPERATOR(pg_catalog.=) d.objid
        WHERE NOT (d.refclassid OPERATOR(pg_catalog.=) ANY (ARRAY[${PASSIVE_CATALOGS}]))
          AND NOT EXISTS (SELECT FROM parts o WHERE o.class OPERATOR(pg_catalog.=) d.refclassid AND o.oid OPERATOR(pg_catalog.=) d.refobjid))`

/**
 * SQL condition over `c`: tables other than partitions inherit from it, it inherits from a table, or it is a partition.
 */
const HAS_INHERITANCE = `EXISTS (
        SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class k ON k.oid OPERATOR(pg_catalog.=) i.inhrelid
        WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid OR (i.inhparent OPERATOR(pg_catalog.=) c.oid AND NOT k.relispartition))`

/**
 * SQL over `c`: the reason why its rows must not even be read, or NULL. Views, foreign tables and policies run code.
 */
const NOT_PLAIN = `CASE
      WHEN NOT (c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::pg_catalog."char"[])) THEN 'it is a view or a foreign table'
      WHEN c.relrowsecurity THEN 'it has row level security, which hides rows'
      WHEN ${isStranger('c.relowner')} AND (${HAS_INHERITANCE} OR ${USES_OTHER_OBJECTS})
        THEN pg_catalog.concat(${belongs('c.relowner')}, ', and has a type, a function, a trigger or a child table that may run code when it is read') END`

/** SQL: one row for each function with an untrusted owner and a name like a function of a catalog (`catalog_…`). */
const OWN_FUNCTIONS = `UNION ALL SELECT n.nspname, p.proname, ${belongs('p.proowner')}
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE pg_catalog.starts_with(p.proname::pg_catalog.text, 'catalog_') AND pg_catalog.pg_function_is_visible(p.oid) AND ${isStranger('p.proowner')}`

/** Returns a row for a table that must not be written to: schema, name, and why. @param schema as `refuseStrangers` */
function writtenSql(names: readonly string[], schema?: string): string {
  const isIn =
    schema === undefined
      ? 'pg_catalog.pg_table_is_visible(c.oid)'
      : `n.nspname OPERATOR(pg_catalog.=) ${sqlLiteral(schema)}`
  const written = `CASE WHEN ${isStranger('c.relowner')} THEN ${belongs('c.relowner')}
      WHEN EXISTS (
        SELECT FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) g.tgfoid
        WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT g.tgisinternal AND ${isStranger('p.proowner')})
        THEN 'it has a trigger whose function belongs to another role' END`
  return `${TRUSTED}
  SELECT s.schema, s.name, s.why FROM (
    SELECT n.nspname AS schema, c.relname AS name, coalesce(${NOT_PLAIN}, ${written}) AS why
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[${names.map(sqlLiteral).join(', ')}]::pg_catalog.name[])
      AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'v', 'm', 'f']::pg_catalog."char"[])
      AND ${isIn}
    ${OWN_FUNCTIONS}) s
  WHERE s.why IS NOT NULL LIMIT 1`
}

/**
 * Selects tables. `isIn`: SQL over `c` and its schema `n`; `isOfStranger`: SQL, true if an untrusted role controls the
 * table.
 */
type OwnPlace = { readonly isIn: string; readonly isOfStranger: string }

/** Tables found by unqualified names. */
export const UNQUALIFIED_PLACE: OwnPlace = {
  isIn: `c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[${PLAIN_NAMES.map(sqlLiteral).join(', ')}]::pg_catalog.name[]) AND pg_catalog.pg_table_is_visible(c.oid)`,
  isOfStranger: isStranger('c.relowner'),
}
/**
 * Tables of sluice_queue. Tables of graphile_worker are left out, because readers never query them. A table is
 * untrusted too if its schema has an untrusted owner, who could replace the table.
 */
export const OF_QUEUE: OwnPlace = {
  isIn: `n.nspname OPERATOR(pg_catalog.=) 'sluice_queue'`,
  isOfStranger: `(${isStranger('c.relowner')} OR ${isStranger('n.nspowner')})`,
}

/**
 * Returns a row for each table: schema; name; why it must not be read, or NULL; 'trusted' if trusted roles control it,
 * or NULL; its SQL name if an untrusted role controls it, or NULL. The SQL name is NULL too if this login has no right
 * to read the table: such a table cannot be locked.
 */
const tableStatesSql = ({ isIn, isOfStranger }: OwnPlace): string => `${TRUSTED}
  SELECT n.nspname, c.relname, ${NOT_PLAIN},
    CASE WHEN NOT ${isOfStranger} THEN 'trusted' END,
    CASE WHEN ${isOfStranger} AND pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN pg_catalog.format('%I.%I', n.nspname, c.relname) END
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'v', 'm', 'f']::pg_catalog."char"[]) AND ${isIn}`

/**
 * Returns a row if a schema of the queue, or a table or function in it, belongs to an untrusted role. The fourth column
 * is the name of the owner for the hint. It is NULL if the login may create schemas, because then it does not need the
 * rights of that role. The fifth column is the name of the login.
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
 * Ledgers of a kind outside the search_path of this login. Any role may plant a table with the name of a ledger. So for
 * a table, a ledger is returned only if the ledger's owner is trusted, or may archive or fill the table itself.
 * @param table if null, or missing in the database, all ledgers are returned
 */
export async function otherLedgers(
  ask: Ask,
  kind: keyof typeof MARKS,
  table: TableName | null,
): Promise<readonly LedgerPlace[]> {
  const names = OWN_TABLES.filter(({ owner, only }) => owner === kind && only === undefined).map(({ name }) => name)
  const of = table === null ? 'NULL' : `pg_catalog.to_regclass(${sqlLiteral(tableSql(table))})`
  const rows = await ask(`${TRUSTED},
  ledgers (schema, space, owner) AS (
    SELECT n.nspname, n.oid, c.relowner
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.=) ${sqlLiteral(MARKS[kind])} AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::pg_catalog."char"[])
      AND c.relpersistence OPERATOR(pg_catalog.<>) 't' AND NOT pg_catalog.pg_table_is_visible(c.oid))
  SELECT l.schema, pg_catalog.has_schema_privilege(l.space, 'USAGE') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_class c
    WHERE c.relnamespace OPERATOR(pg_catalog.=) l.space AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[${names.map(sqlLiteral).join(', ')}]::pg_catalog.name[])
      AND (c.relrowsecurity OR NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')))
  FROM ledgers l LEFT JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) ${of}
  WHERE t.oid IS NULL OR NOT ${isStranger('l.owner')} OR pg_catalog.pg_has_role(l.owner, t.relowner, 'MEMBER')
  ORDER BY 1`)
  return rows.map(([schema, isReadable]) => ({ schema: String(schema), isReadable: isReadable === 't' }))
}

type Ask = (sql: string) => Promise<readonly SqlRow[]>

/**
 * @param names tables to check; by default all of ledgers and catalogs
 * @param schema of the tables; absent: tables that unqualified names find
 * @throws SluiceError TABLE_REFUSED if one of them must not be written to: its triggers, rules, defaults, checks and
 * indexes would run
 */
export async function refuseStrangers(
  ask: Ask,
  label: string,
  names: readonly string[] = PLAIN_NAMES,
  schema?: string,
): Promise<void> {
  const [row] = await ask(writtenSql(names, schema))
  if (row !== undefined) throw refused(row, label)
}

/** @throws SluiceError TABLE_REFUSED if a part of the queue's schemas belongs to an untrusted role */
export async function refuseStrangersInQueue(ask: Ask, label: string): Promise<void> {
  const [row] = await ask(QUEUE_WRITE_SQL)
  if (row !== undefined) throw refused(row, label)
}

/** True if a schema exists. @throws SluiceError TABLE_REFUSED if it belongs to an untrusted role */
export async function hasOwnSchema(ask: Ask, schema: string, label: string): Promise<boolean> {
  const [row] = await ask(`${TRUSTED}
    SELECT n.nspname, '', CASE WHEN ${isStranger('n.nspowner')} THEN ${belongs('n.nspowner')} END
    FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) ${sqlLiteral(schema)}`)
  if (row?.[2] != null) throw refused(row, label)
  return row !== undefined
}

/** A session in whose transaction the tables are checked. */
export type CheckSession = { begin(): Promise<void>; readonly ask: Ask; rollBack(): Promise<void> }

/** Maximum number of rounds: another role may add tables faster than they are checked. */
const MOST_ROUNDS = 5

/**
 * Checks sluice's tables for long-lived sessions that read them. Tables of trusted roles are checked once. An untrusted
 * role may change its tables at any time: these are locked and checked in the transaction of each query.
 */
export class Strangers {
  readonly #place: OwnPlace
  readonly #label: string
  #isTrusted = false
  /** SQL names of tables to lock before the check. */
  #names: readonly string[] = []

  constructor(place: OwnPlace, label: string) {
    this.#place = place
    this.#label = label
  }

  /** True if sluice's tables exist and trusted roles own them all: no query needs a transaction for the check. */
  get areNone(): boolean {
    return this.#isTrusted
  }

  /** Checks the tables when a store is opened. @throws SluiceError TABLE_REFUSED if a table must not be read */
  async checkOnOpen(ask: Ask): Promise<void> {
    await this.#check(ask)
  }

  /** Begins a transaction in which the tables stay as checked. @throws SluiceError TABLE_REFUSED, after a rollback */
  async begin({ begin, ask, rollBack }: CheckSession): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      await begin()
      if (this.#isTrusted) return
      try {
        const locked = this.#names
        // Lock first: a snapshot from before the lock would not show the latest changes.
        if (locked.length > 0) await ask(`LOCK TABLE ${locked.join(', ')} IN ACCESS SHARE MODE`)
        if ((await this.#check(ask)).every((name) => locked.includes(name))) return
      } catch (error) {
        // Forget the names, because a table that no longer exists cannot be locked.
        this.#names = []
        await rollBack()
        throw error
      }
      await rollBack()
    }
    throw new SluiceError('TARGET_BUSY', 'another role creates tables faster than they can be checked', {
      where: this.#label,
      hint: 'run the same command again; if it fails again, connect as the owner of the tables',
      retryable: true,
    })
  }

  async #check(ask: Ask): Promise<readonly string[]> {
    const rows = await ask(tableStatesSql(this.#place))
    for (const [schema = null, name = null, why] of rows)
      if (why != null) throw refused([schema, name, why], this.#label)
    this.#isTrusted = rows.length > 0 && rows.every(([, , , trusted]) => trusted != null)
    this.#names = rows.flatMap(([, , , , sql]) => (sql == null ? [] : [String(sql)]))
    return this.#names
  }
}

function refused([schema, name, why, owner = null, user = null]: SqlRow, where: string): SluiceError {
  const [what, danger] =
    name === ''
      ? [`schema ${String(schema)}`, 'that role may replace or drop its objects']
      : [`${String(schema)}.${String(name)}`, 'its code would run as this login']
  const joins =
    owner === null
      ? 'if you trust the owner, connect as that role'
      : `if ${String(owner)} is the role that was created for this queue: GRANT ${quotedName(String(owner))} TO ${quotedName(String(user))}`
  return new SluiceError('TABLE_REFUSED', `sluice refuses to use ${what}, which has a name reserved for sluice`, {
    where,
    reason: `${String(why)}; ${danger}`,
    hint: `${joins}; otherwise drop or rename ${what}, or change its owner with ALTER … OWNER TO${name === '' ? '' : ', or use another schema'}`,
  })
}
