/** Indexes, constraints and defaults in PostgreSQL. */
import { createHash } from 'node:crypto'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ForeignKey, IndexObject, SchemaObject } from '../../../model/copy/schema-object.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { takeObjectLock, type ObjectLock } from '../../common/object-lock.ts'
import { asObjectError, objectFailed, shortened } from '../../common/object-names.ts'
import { quoteName } from '../server/connect.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import { postgresTargetError } from '../server/errors.ts'
import { onNewSession, ReadsServer } from '../server/reading.ts'
import { listPostgresObjects } from './object-list.ts'
import type { CopySession } from '../server/session.ts'
import { columnList, equalTo, literal, MOST_NAME_BYTES, tableSql } from '../server/sql.ts'
import { underSignal } from '../server/under-signal.ts'
import { countText } from '../../../shared/figures.ts'

/** Types without a btree operator class. */
const WITHOUT_ORDER = /^(?:json|xml|point|line|lseg|box|path|polygon|circle)$/

export class PostgresObjects extends ReadsServer implements ObjectStore {
  readonly words = 'postgresql'

  list(tables: readonly TableSpec[], signal: AbortSignal): Promise<readonly (readonly SchemaObject[])[]> {
    const names = tables.map(({ table }) => table)
    return this.read(signal, (session) => listPostgresObjects(session, names))
  }

  /** Indexes are relations, whose names are unique in a schema. */
  scope({ kind }: SchemaObject): 'table' | 'schema' {
    return kind === 'index' || kind === 'unique' || kind === 'exclusion' ? 'schema' : 'table'
  }

  async usedNames({ table }: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const own = `pg_catalog.to_regclass(${literal(tableSql(table))})::oid`
    const found = await this.readers.use((session) =>
      underSignal(session, signal, () =>
        session.texts(
          `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = ${literal(table.schema ?? 'public')} AND c.relname IN (${['', ...names].map(literal).join(', ')})
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid AND i.indrelid = ${own})`,
        ),
      ),
    )
    return new Set(found)
  }

  adapted(object: SchemaObject, table: TableSpec): SchemaObject | { readonly refused: string } {
    const name = object.kind === 'default' ? object.name : shortened(object.name, MOST_NAME_BYTES)
    if ((object.kind !== 'index' && object.kind !== 'unique') || object.own !== '') return { ...object, name }
    for (const { column } of object.parts) {
      const native = table.columns.find((one) => one.name === column)?.native
      if (native !== undefined && WITHOUT_ORDER.test(native)) {
        return { refused: `${column ?? ''} is ${native} in the target, which has no order` }
      }
    }
    return { ...object, name, method: 'btree' }
  }

  foreignKeySql(object: ForeignKey, { table }: TableSpec): string {
    return `ALTER TABLE ${tableSql(table)} ADD CONSTRAINT ${quoteName(object.name)} ${foreignSql(object)}`
  }

  async build(object: SchemaObject, table: TableSpec, inUse: boolean, signal: AbortSignal): Promise<void> {
    try {
      // Uses its own session, so that no lock remains.
      await onNewSession(this.settings, signal, async (session) => {
        const lock = objectLock(session, lockOf(table, inUse ? null : object), table)
        await takeObjectLock(lock, object, table, signal)
        // No limit on the wait: no session uses the table, so none queues behind this one.
        if (!inUse) await session.ask('SET lock_timeout TO 0')
        await new Builder(session, table, inUse).build(object)
      })
    } catch (error) {
      throw asObjectError(error, object, (thrown) => postgresTargetError(thrown, this.settings, tableText(table.table)))
    }
  }
}

class Builder {
  readonly #session: CopySession
  readonly #table: TableSpec
  readonly #sql: string
  readonly #inUse: boolean

  constructor(session: CopySession, table: TableSpec, inUse: boolean) {
    this.#session = session
    this.#table = table
    this.#sql = tableSql(table.table)
    this.#inUse = inUse
  }

  async build(object: SchemaObject): Promise<void> {
    const [existing = []] = await listPostgresObjects(this.#session, [this.#table.table])
    const there = existing.find((one) => one.name === object.name && placeOf(one) === placeOf(object))
    const isDone = there !== undefined && there.broken !== true && !(there.kind === 'foreign key' && there.unchecked)
    if (isDone && there.kind !== 'default') return
    const name = quoteName(object.name)
    switch (object.kind) {
      case 'index':
        return this.#index(object, there)
      case 'unique':
        return this.#add(name, object.own === '' ? uniqueSql(object) : object.own)
      case 'check':
      case 'exclusion':
        return this.#add(name, object.own)
      case 'default':
        return void (await this.#session.ask(`ALTER TABLE ${this.#sql} ALTER COLUMN ${name} SET DEFAULT ${object.own}`))
      case 'foreign key':
        return this.#foreignKey(object, there !== undefined)
    }
  }

  async #index(object: IndexObject, broken: SchemaObject | undefined): Promise<void> {
    const name = quoteName(object.name)
    const concurrently = this.#inUse && !(await this.#isPartitioned()) ? 'CONCURRENTLY ' : ''
    // No limit on the wait for older transactions: meanwhile it blocks no other session.
    if (concurrently !== '') await this.#session.ask('SET lock_timeout TO 0')
    if (broken !== undefined) {
      const { schema } = this.#table.table
      const full = schema === undefined ? name : `${quoteName(schema)}.${name}`
      await this.#session.ask(`DROP INDEX ${concurrently}IF EXISTS ${full}`)
    }
    const unique = object.unique ? 'UNIQUE ' : ''
    await this.#session.ask(
      `CREATE ${unique}INDEX ${concurrently}${name} ON ${this.#sql} ${object.own === '' ? indexSql(object) : object.own}`,
    )
  }

  /** Adds the key NOT VALID, then validates: locks are short, and other sessions can write while rows are checked. */
  async #foreignKey(object: ForeignKey, isThere: boolean): Promise<void> {
    const name = quoteName(object.name)
    const alter = `ALTER TABLE ${this.#sql}`
    try {
      if (!isThere) {
        try {
          await this.#session.ask(`${alter} ADD CONSTRAINT ${name} ${foreignSql(object)} NOT VALID`)
        } catch (error) {
          // Older servers refuse NOT VALID on a partitioned table.
          if (!/^(?:0A000|42809)$/.test(sqlStateOf(error) ?? '')) throw error
          await this.#session.ask(`${alter} ADD CONSTRAINT ${name} ${foreignSql(object)}`)
          return
        }
      }
      if (object.unchecked !== true) await this.#session.ask(`${alter} VALIDATE CONSTRAINT ${name}`)
    } catch (error) {
      if (sqlStateOf(error) !== '23503') throw error
      await this.#session.ask(`${alter} DROP CONSTRAINT IF EXISTS ${name}`)
      throw await this.#violated(object, error)
    }
  }

  async #violated(object: ForeignKey, cause: unknown) {
    const { from, to, rest } = object
    const parent = tableSql(to.table)
    const { columns } = this.#table
    const equal = from.map(
      (name, i) => `p.${quoteName(to.columns[i] ?? '')} ${equalTo(columns, name)} c.${quoteName(name)}`,
    )
    const given = from.map((column) => `c.${quoteName(column)} IS NOT NULL`)
    const [row] = await this.#session.ask(
      `SELECT count(*) FROM ${this.#sql} c WHERE (${given.join(rest.includes('MATCH FULL') ? ' OR ' : ' AND ')})
       AND NOT EXISTS (SELECT FROM ${parent} p WHERE ${equal.join(' AND ')})`,
    )
    const rows = row?.[0] ?? '0'
    return objectFailed(
      object,
      `${countText(rows, 'row')} of ${tableText(this.#table.table)} refer to missing rows of ${tableText(to.table)}`,
      { reason: (cause as Error).message, cause },
    )
  }

  async #add(name: string, definition: string): Promise<void> {
    await this.#session.ask(`ALTER TABLE ${this.#sql} ADD CONSTRAINT ${name} ${definition}`)
  }

  async #isPartitioned(): Promise<boolean> {
    const [row] = await this.#session.ask(
      `SELECT relkind FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(${literal(this.#sql)})::oid`,
    )
    return row?.[0] === 'p'
  }
}

/** Namespace in which the object's name is unique. */
function placeOf({ kind }: SchemaObject): string {
  if (kind === 'index' || kind === 'unique' || kind === 'exclusion') return 'relation'
  return kind === 'default' ? 'column' : 'constraint'
}

function indexSql(object: IndexObject): string {
  const parts = object.parts.map(({ column, descending, nulls }) => {
    return `${quoteName(column ?? '')}${descending ? ' DESC' : ''}${nulls === undefined ? '' : ` NULLS ${nulls.toUpperCase()}`}`
  })
  const include = object.include.length === 0 ? '' : ` INCLUDE (${columnList(object.include)})`
  return `USING ${quoteName(object.method)} (${parts.join(', ')})${include}${object.nullsEqual === true ? ' NULLS NOT DISTINCT' : ''}`
}

function uniqueSql(object: IndexObject): string {
  const include = object.include.length === 0 ? '' : ` INCLUDE (${columnList(object.include)})`
  const nulls = object.nullsEqual === true ? 'NULLS NOT DISTINCT ' : ''
  return `UNIQUE ${nulls}(${object.parts.map(({ column }) => quoteName(column ?? '')).join(', ')})${include}`
}

function foreignSql({ from, to, onDelete, onUpdate, rest }: ForeignKey): string {
  const match = rest.includes('MATCH FULL') ? ' MATCH FULL' : ''
  const behind = rest.replace('MATCH FULL', '').trim()
  return (
    `FOREIGN KEY (${columnList(from)}) REFERENCES ${tableSql(to.table)} (${columnList(to.columns)})${match}` +
    ` ON UPDATE ${onUpdate} ON DELETE ${onDelete}${behind === '' ? '' : ` ${behind}`}`
  )
}

function objectLock(session: CopySession, lock: string, table: TableSpec): ObjectLock {
  return {
    take: async () => (await session.ask(`SELECT pg_catalog.pg_try_advisory_lock(${lock})`))[0]?.[0] === 't',
    idleHolder: async () => {
      const [holder] = await session.ask(idleHolderSql(lock, table))
      if (holder === undefined) return null
      const [pid = null, user = null] = holder
      return { session: `session ${pid} of ${user ?? 'a role'}`, end: `SELECT pg_terminate_backend(${pid})` }
    },
  }
}

/**
 * The session that holds the lock, if it seems idle: it has no visible running statement, and neither holds nor
 * requests a stronger lock than ACCESS SHARE on the table. A role sees the locks of all sessions, but only the
 * statements of its own sessions, so the holder may still be counting rows.
 */
function idleHolderSql(lock: string, { table }: TableSpec): string {
  const here = '(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())'
  const key = '((l.classid::bigint << 32) | l.objid::bigint)'
  return `SELECT l.pid, a.usename FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory'::text AND l.granted AND l.objsubid = 1 AND l.database = ${here} AND ${key} = '${lock}'::bigint
      AND coalesce(a.state, ''::text) <> 'active'::text
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks t WHERE t.pid = l.pid AND t.database = l.database
        AND t.relation = pg_catalog.to_regclass(${literal(tableSql(table))})::oid AND t.mode <> 'AccessShareLock'::text)`
}

/**
 * Key of an advisory lock for an object of a table, as a bigint.
 * @param object null for the whole table: two indexes that are built concurrently on one table would wait for each
 * other
 */
function lockOf({ table }: TableSpec, object: SchemaObject | null): string {
  const words = JSON.stringify(['sluice object', table.schema, table.name, object?.kind, object?.name])
  return createHash('sha256').update(words).digest().readBigInt64BE(0).toString()
}
