/** PostgreSQL as the target of copies. */
import { tableText, type Column, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import { Pool } from '../../common/pool.ts'
import { quoteName } from '../server/connect.ts'
import { removePostgresRows } from '../archive/remove.ts'
import type { Steps } from '../archive/steps.ts'
import { refuseReordered } from '../../common/column-order.ts'
import { refuseUnmakeable, sqlNameError, type NewTableLimits } from '../../common/new-table.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { isBytewise, namedCollation } from './collations.ts'
import { postgresTargetError } from '../server/errors.ts'
import {
  truncateTables,
  relationColumnNames,
  missingTable,
  findRelation,
  type PostgresRelation,
} from '../server/relation.ts'
import { createNamed, identitySql, movePostgresSequences } from './positions.ts'
import { AS_REPLICA, mayBeReplica } from './replica-role.ts'
import { AS_STREAM } from '../follow/apply/pass.ts'
import { CopySession } from '../server/session.ts'
import { columnList, tableFromSql, literal, MOST_NAME_BYTES, tableSql } from '../server/sql.ts'
import { OTHER_FIELDS } from '../../common/refusals.ts'
import { compositeFields, loadTypes } from '../server/types.ts'
import { underSignal } from '../server/under-signal.ts'
import { PostgresWriter } from './writer.ts'

/** Sessions that stay open for the next chunk. */
const KEPT = 16

/** Number of bits of each type whose values a sequence can generate. */
const NUMBERED: ReadonlyMap<string, number> = new Map([
  ['smallint', 16],
  ['integer', 32],
  ['bigint', 64],
])

export class PostgresTarget implements CopyTarget, AsyncDisposable {
  readonly #settings: PostgresSettings
  readonly #sessions: Pool<CopySession>
  /** True if the role of all sessions may write as a replica; null until needed. */
  #mayBeReplica: Promise<boolean> | null = null
  readonly #steps: Steps
  readonly #database: string

  /** @param database identity of this database */
  constructor(settings: PostgresSettings, steps: Steps, database: string) {
    this.#settings = settings
    this.#steps = steps
    this.#database = database
    const open = (): Promise<CopySession> => CopySession.open(settings, 'write')
    this.#sessions = new Pool(open, { most: Infinity, idle: KEPT }, settings.label)
  }

  create(table: TableSpec, signal: AbortSignal): Promise<void> {
    return this.#transaction(table, signal, async (session) => {
      const { schema } = table.table
      for (const column of table.columns) {
        const unknown = await unknownType(table, column, session)
        if (unknown !== null) throw unknown
      }
      if (schema !== undefined) {
        // IF NOT EXISTS requires the right to create, which a user of an existing schema may lack.
        const found = await session.ask(`SELECT FROM pg_catalog.pg_namespace WHERE nspname = ${literal(schema)}`)
        if (found.length === 0) await session.ask(`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`)
      }
      const bytewise = await isBytewise(session)
      const parts: string[] = []
      for (const column of table.columns) {
        const keepBytes = !bytewise && table.key.includes(column.name)
        parts.push(await columnSql(table.table, column, keepBytes, session))
      }
      const unique = table.nullsEqual === true ? 'UNIQUE NULLS NOT DISTINCT' : 'UNIQUE'
      if (table.key.length > 0) parts.push(`${table.primary ? 'PRIMARY KEY' : unique} (${columnList(table.key)})`)
      await session.ask(`CREATE TABLE ${tableSql(table.table)} (${parts.join(', ')})`)
    })
  }

  clear(table: TableSpec, signal: AbortSignal): Promise<void> {
    return this.#transaction(table, signal, async (session) => {
      const from = tableFromSql(await this.#relation(table, session))
      await truncateTables(session, [from])
    })
  }

  async finish(
    table: TableSpec,
    signal: AbortSignal,
    sequences: readonly ColumnSequence[] = [],
  ): Promise<readonly string[]> {
    let notes: readonly string[] = []
    await this.#transaction(table, signal, async (session) => {
      const known = new Set(sequences.flatMap(({ column, next }) => (next === null ? [] : [column])))
      await setSequences(session, await this.#relation(table, session), known)
      notes = await movePostgresSequences(session, table.table, sequences)
    })
    await this.#use(table, signal, async (session) => {
      await session.ask(`ANALYZE ${tableSql(table.table)}`)
    })
    return notes
  }

  async open(request: ChunkRequest): Promise<ChunkWriter> {
    const { table, signal } = request
    const session = await this.#take(table)
    try {
      return await underSignal(session, signal, async () => {
        // A role or database may be read-only by default.
        const isReplica = request.pastTriggers === true && (await this.#mayWriteAsReplica(session))
        const settings = [...(isReplica ? [AS_REPLICA] : []), ...(request.isOfStream === true ? [AS_STREAM] : [])]
        await session.begin('ISOLATION LEVEL READ COMMITTED READ WRITE', settings.join('; '))
        const relation = await this.#relation(table, session)
        // This lock keeps the columns of the table until the transaction ends.
        await session.ask(`SELECT FROM ${tableFromSql(relation)} LIMIT 0`)
        refuseReordered(table, await relationColumnNames(session, relation), 'target', this.#settings.label)
        return new PostgresWriter(request, relation, session, this.#settings, () => this.#sessions.give(session))
      })
    } catch (error) {
      session.destroy()
      await this.#sessions.give(session)
      throw postgresTargetError(error, this.#settings, tableText(table.table))
    }
  }

  #mayWriteAsReplica(session: CopySession): Promise<boolean> {
    this.#mayBeReplica ??= mayBeReplica(session).catch((error: unknown) => {
      this.#mayBeReplica = null
      throw error
    })
    return this.#mayBeReplica
  }

  remove(request: RemoveRequest): Promise<StepEnd> {
    return removePostgresRows(this.#steps, request, this.#database)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions.close()
  }

  async #relation({ table }: TableSpec, session: CopySession): Promise<PostgresRelation> {
    const found = await findRelation(table, (sql) => session.ask(sql))
    if (found !== null) return found
    throw new SluiceError('TABLE_REFUSED', missingTable(table), {
      where: this.#settings.label,
      hint: 'it was renamed or dropped: run the same command again',
    })
  }

  #transaction(table: TableSpec, signal: AbortSignal, body: (session: CopySession) => Promise<void>): Promise<void> {
    return this.#use(table, signal, async (session) => {
      await session.begin('ISOLATION LEVEL READ COMMITTED READ WRITE')
      await body(session)
      await session.ask('COMMIT')
    })
  }

  async #use(table: TableSpec, signal: AbortSignal, body: (session: CopySession) => Promise<void>): Promise<void> {
    const session = await this.#take(table)
    let sound = false
    try {
      await underSignal(session, signal, () => body(session))
      sound = true
    } catch (error) {
      throw postgresTargetError(error, this.#settings, tableText(table.table))
    } finally {
      if (!sound) session.destroy()
      await this.#sessions.give(session)
    }
  }

  async #take({ table }: TableSpec): Promise<CopySession> {
    try {
      return await this.#sessions.take()
    } catch (error) {
      throw postgresTargetError(error, this.#settings, tableText(table))
    }
  }
}

/**
 * Sets each sequence of a table to the largest value of its column (the smallest, if it counts down), so that new rows
 * get no copied number. Never moves a sequence back.
 * @param except columns whose sequences are set to the source's position
 */
async function setSequences(
  session: CopySession,
  relation: PostgresRelation,
  except: ReadonlySet<string>,
): Promise<void> {
  const owned = await session.ask(
    `SELECT s.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname), a.attname, q.seqincrement > 0,
       q.seqmin, q.seqmax
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
       JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_class'::regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid
       AND d.refobjid = ${literal(relation.oid)}::oid AND d.deptype IN ('a', 'i')`,
  )
  for (const [oid, sequence, column, rising, least, most] of owned) {
    if (except.has(column ?? '')) continue
    const [edge, further, reaches] = rising === 't' ? ['max', 'greatest', '>='] : ['min', 'least', '<=']
    // If the value is beyond a bound of the sequence, the sequence is set to this bound.
    await session.ask(
      `SELECT pg_catalog.setval(${literal(oid ?? '')}::oid::regclass, ${further}(
         least(greatest(t.edge::numeric, ${least}), ${most})::bigint, CASE WHEN s.is_called THEN s.last_value END))
       FROM ${sequence} s, (SELECT ${edge}(${quoteName(column ?? '')}) AS edge FROM ${tableFromSql(relation)}) t
       WHERE t.edge::numeric ${reaches} s.last_value::numeric OR s.is_called AND t.edge IS NOT NULL`,
    )
  }
}

/** @param keepBytes true if texts without a named collation are compared by bytes, as in the limits of key ranges */
async function columnSql(table: TableName, column: Column, keepBytes: boolean, session: CopySession): Promise<string> {
  const { name, type, native, nullable, identity, collation, expression, sequence } = column
  const parts = [quoteName(name), native]
  if (type.kind === 'text') {
    const named = collation === undefined ? null : await namedCollation(collation, (sql) => session.ask(sql))
    if (named !== null) parts.push(`COLLATE ${named}`)
    else if (collation === undefined && keepBytes) parts.push('COLLATE pg_catalog."C"')
  }
  if (expression !== undefined) {
    // Before version 18 generated columns are always stored.
    const kept = expression.stored || session.version < 180_000
    parts.push(`GENERATED ALWAYS AS (${expression.sql}) ${kept ? 'STORED' : 'VIRTUAL'}`)
  }
  if (!nullable) parts.push('NOT NULL')
  const bits = NUMBERED.get(native)
  if (bits === undefined) return parts.join(' ')
  if (sequence?.named !== undefined) parts.push(await createNamed(session, table, sequence))
  else if (sequence !== undefined) parts.push(identitySql(sequence, bits))
  else if (identity === true) parts.push('GENERATED BY DEFAULT AS IDENTITY')
  return parts.join(' ')
}

const LIMITS: NewTableLimits = { title: 'PostgreSQL', columns: 1600, nameError: sqlNameError }

/**
 * Checks a table to be created; changes nothing. Reports all missing types at once.
 * @throws SluiceError TABLE_REFUSED as the creation would
 */
export async function refuseUnknownTypes(table: TableSpec, session: CopySession): Promise<void> {
  refuseUnmakeable(table, LIMITS)
  refuseLongNames(table)
  const refused: SluiceError[] = []
  await session.ask('BEGIN READ ONLY')
  try {
    for (const column of table.columns) {
      const error = await unknownType(table, column, session)
      if (error !== null) refused.push(error)
    }
  } finally {
    await session.ask('ROLLBACK')
  }
  const [first] = refused
  if (first === undefined) return
  const { code, reason } = first
  const hint = [...new Set(refused.map((error) => error.hint))].join('; ')
  throw new SluiceError(code, refused.map(({ message }) => message).join('; '), { reason, hint })
}

/** @throws SluiceError TABLE_REFUSED for a name that the server would truncate */
function refuseLongNames({ table, columns }: TableSpec): void {
  const names = [table.schema ?? '', table.name, ...columns.map(({ name }) => name)]
  const long = names.find((name) => Buffer.byteLength(name) > MOST_NAME_BYTES)
  if (long === undefined) return
  throw new SluiceError('TABLE_REFUSED', `${tableText(table)} has a name that the target would shorten: ${long}`, {
    reason: `the limit of PostgreSQL for a name is ${MOST_NAME_BYTES} bytes, and this one has ${Buffer.byteLength(long)}`,
    hint: long === table.name ? 'choose another name with --to-table' : 'choose another name with --rename',
  })
}

/** The statement that creates the schema of a type, with a semicolon; empty if the type names none, or it is there. */
async function schemaOfTypeSql(native: string, session: CopySession): Promise<string> {
  const parts = `pg_catalog.parse_ident(${literal(native)}, false)`
  const sql = `SELECT s.name FROM (SELECT CASE WHEN pg_catalog.cardinality(${parts}) > 1 THEN (${parts})[1] END) AS s (name)
    WHERE s.name IS NOT NULL AND pg_catalog.to_regnamespace(pg_catalog.quote_ident(s.name)) IS NULL`
  const schema = await session.one(sql)
  return schema === null ? '' : `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}; `
}

/** The schema of the target that has a type of this name without being in the search_path, if there is one. */
async function schemaBeside(native: string, session: CopySession): Promise<{ reason: string; hint: string } | null> {
  const parts = `pg_catalog.parse_ident(${literal(native)}, false)`
  const [row] = await session.ask(
    `SELECT pg_catalog.quote_ident(n.nspname), pg_catalog.current_setting('search_path'), pg_catalog.quote_ident(current_user), pg_catalog.quote_ident(pg_catalog.current_database())
     FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     WHERE pg_catalog.cardinality(${parts}) = 1 AND t.typname = (${parts})[1] ORDER BY 1 LIMIT 1`,
  )
  if (row === undefined) return null
  const [schema, path, role, database] = row
  return {
    reason: `the type is in the schema ${schema} of the target, which is not in its search_path: ${path}`,
    hint: `add the schema to the search_path in the target: ALTER ROLE ${role} IN DATABASE ${database} SET search_path TO ${path}, ${schema}`,
  }
}

/**
 * Checks the type name, which becomes part of a statement: text that is more than a type name is refused, too.
 * @returns TABLE_REFUSED; null if the type exists
 */
async function unknownType(
  table: TableSpec,
  { name, native, fields, typeSql }: Column,
  session: CopySession,
): Promise<SluiceError | null> {
  const where = `${tableText(table.table)}.${name}`
  await session.ask('SAVEPOINT type')
  const needed = `${where} needs the type ${native}`
  let reason = 'the target has no type of that name'
  try {
    const oid = await session.one(`SELECT pg_catalog.to_regtype(${literal(native)})::oid`)
    if (oid !== null) {
      const types = await loadTypes([oid], (sql) => session.ask(sql))
      if (fields === undefined || compositeFields(oid, types) === fields) return null
      return new SluiceError(
        'TABLE_REFUSED',
        `${where} cannot be copied: ${native} has other fields in the target`,
        OTHER_FIELDS,
      )
    }
    const beside = await schemaBeside(native, session)
    if (beside !== null) return new SluiceError('TABLE_REFUSED', needed, beside)
  } catch (error) {
    reason = (error as Error).message
    await session.ask('ROLLBACK TO SAVEPOINT type')
  }
  return new SluiceError('TABLE_REFUSED', needed, {
    reason,
    hint:
      typeSql === undefined
        ? 'create the type in the target first, or create the table there with a text column'
        : `create the type in the target first: ${await schemaOfTypeSql(native, session)}${typeSql}`,
  })
}
