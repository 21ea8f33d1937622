/**
 * A new table with the same properties as another one, not yet a partition: the next partition, or one of the tables
 * that replace a default partition.
 */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { isRefusal } from '../../archive/own.ts'
import { BUILT_BY_ATTACH, ownStatementsSql } from '../../archive/own-sql.ts'
import { tableByName } from '../../server/known.ts'
import type { KnownTable } from '../../server/locks.ts'
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, MOST_NAME_BYTES, tableSql } from '../../server/sql.ts'
import { attachMark } from './names.ts'
import { inTransaction } from '../../server/lock-retry.ts'
import { revokeOthers } from './rights.ts'
import { leaveOutOwn, copiedFromNeighbour, type LeftOutConstraint, type PeriodRule } from './own-rules.ts'
import type { NewPartition } from '../../../../model/partition/maintenance-port.ts'

/**
 * Place numbers of the statements of `ownStatementsSql` that run last, after the rows are copied: foreign keys,
 * triggers, rules, row security and rights. Rights come with the row security: without it they would give access to
 * rows that the model hides.
 */
const FOREIGN_KEY = 22
const UNCHECKED = ' NOT VALID'
const LATE: ReadonlySet<number> = new Set([FOREIGN_KEY, 35, 36, 37, 38, 41, 42, 50, 51, 64, 65])
/** Place numbers of statements that are not needed, because LIKE copied the property. */
const COPIED_BY_LIKE: ReadonlySet<number> = new Set([61])
/**
 * Place numbers of the statements to use if the model is the partitioned table itself. All other statements concern
 * only the partitioned table.
 */
const OF_PARENT: ReadonlySet<number> = new Set([20, 21, 30, 31, 33, 34, 62, 63, 67])

type Own = { readonly what: string; readonly sql: string; readonly place: number }

/** A property that the new table could not get, and the server's reason. */
export type MissingProperty = { readonly what: string; readonly why: string; readonly hint?: string }

export type NewPartitionOptions = {
  /** The model table: a partition, or the partitioned table itself. */
  readonly of: KnownTable
  /** OID of the partitioned table. */
  readonly parent: string
  /** Name of the new table until it is attached. */
  readonly sideTable: TableName
  /** Name of the new table once it is attached; the names of its indexes are derived from it. */
  readonly name: TableName
  /** Condition that all rows of the new table meet. */
  readonly check: string
  /**
   * Period of the new table, if it differs from the period of the model. Absent for a table that replaces the model.
   */
  readonly period?: PeriodRule & { readonly of: TableName }
}

/** A new table that is created in three steps, so that rows can be written between them. */
export class NewPartitionTable {
  readonly table: KnownTable
  readonly missing: MissingProperty[] = []
  /** Notes for the user that need no action. */
  readonly notes: string[] = []
  readonly options: NewPartitionOptions
  readonly #session: CopySession
  readonly #statements: readonly { readonly stage: string; readonly own: Own }[]
  /** Names of its indexes, by the OIDs of the model's indexes. */
  readonly names: ReadonlyMap<string, string>

  private constructor(
    session: CopySession,
    options: NewPartitionOptions,
    table: KnownTable,
    names: ReadonlyMap<string, string>,
    statements: readonly { readonly stage: string; readonly own: Own }[],
  ) {
    this.#session = session
    this.options = options
    this.table = table
    this.names = names
    this.#statements = statements
  }

  /** Creates the table without rows, indexes and triggers; columns are stored as in the model table. */
  static async begin(session: CopySession, options: NewPartitionOptions): Promise<NewPartitionTable> {
    const { of, parent, sideTable, name, check } = options
    const names = await freshNames(session, of, name)
    const isParent = of.oid === parent
    const [unlogged] = await session.ask(
      `SELECT FROM pg_catalog.pg_class WHERE oid = ${literal(of.oid)}::oid AND relpersistence = 'u' AND relkind = 'r'`,
    )
    // LIKE must not copy identity columns: only the partitioned table has them.
    const create = `CREATE ${unlogged === undefined ? '' : 'UNLOGGED '}TABLE ${tableSql(sideTable)} (LIKE ${tableSql(of.name)}
      INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES EXCLUDING STATISTICS,
      CONSTRAINT ${quoteName(attachMark(parent))} CHECK (${check}))`
    const table = await createTable(session, sideTable, create, !isParent)
    const left = isParent || options.period === undefined ? [] : await leftOut(session, options, options.period, table)
    const without = new Set(
      left.flatMap(({ name: one }) => [`the constraint ${one}`, `the comment on the constraint ${one}`]),
    )
    const rows = await session.ask(ownStatementsSql(of.oid, '0', { name: sideTable, names }))
    const statements = rows.flatMap(([stage, what, sql, place]) => {
      const own = { what: what ?? '', sql: sql ?? '', place: Number(place) }
      // Place 3 is UNLOGGED, which the table already is: a later change would write all rows again.
      if (
        own.place === 3 ||
        COPIED_BY_LIKE.has(own.place) ||
        without.has(own.what) ||
        (isParent && !OF_PARENT.has(own.place))
      )
        return []
      return [{ stage: stage ?? '', own }]
    })
    const newTable = new NewPartitionTable(session, options, table, names, statements)
    if (!isParent && options.period !== undefined) await newTable.reportOwn(left)
    for (const { stage, own } of statements) if (stage === 'empty') await newTable.#runStatement(own)
    return newTable
  }

  /** Adds indexes, statistics and comments: objects without effect until other sessions use the table. */
  async addProperties(): Promise<void> {
    for (const { stage, own } of this.#statements) {
      if (stage === 'empty' || stage === 'cloned' || LATE.has(own.place)) continue
      await this.#runStatement(own)
    }
    await this.#reportUncopied()
  }

  /** Tests which of the late statements the server accepts. @returns the accepted ones, to run before the attachment */
  async acceptedLateStatements(): Promise<readonly string[]> {
    const taken: string[] = []
    const wanted = this.#statements.filter(({ stage, own }) => stage !== 'cloned' && LATE.has(own.place))
    if (wanted.length === 0) return []
    const session = this.#session
    return await session.rolledBack('', '', async () => {
      for (const { own } of wanted) {
        // The key is tested with NOT VALID, so that rows are not checked here. They are checked once, by the accepted
        // statement.
        const tried = own.place === FOREIGN_KEY && !own.sql.endsWith(UNCHECKED) ? own.sql + UNCHECKED : own.sql
        const why = await refusalOf(session, tried)
        if (why === null) taken.push(own.sql)
        else this.missing.push({ what: own.what, why })
      }
      return taken
    })
  }

  /** Statements that set the states of triggers that the attachment creates. They use the final name of the table. */
  triggerStates(): readonly string[] {
    const { sideTable, name } = this.options
    return this.#statements
      .filter(({ stage }) => stage === 'cloned')
      .map(({ own }) => own.sql.replace(` ${tableSql(sideTable)} `, () => ` ${tableSql(name)} `))
  }

  async #runStatement({ what, sql }: Own): Promise<void> {
    try {
      await this.#session.ask(sql)
    } catch (error) {
      if (!this.#session.alive || !isRefusal(error)) throw error
      this.missing.push({ what, why: (error as Error).message })
    }
  }

  async reportOwn(left: readonly LeftOutConstraint[]): Promise<void> {
    const { of, name } = this.options
    for (const { name: one, why, hint } of left) {
      if (hint === null) this.notes.push(`${tableText(name)} does not have the constraint ${one}: ${why}`)
      else this.missing.push({ what: `the constraint ${one}`, why, hint })
    }
    const along = await copiedFromNeighbour(this.#session, of, left)
    if (along.length > 0) {
      this.notes.push(
        `${tableText(name)} got objects that may refuse rows, and that ${tableText(of.name)} has but its parent does not: ${along.join(', ')}`,
      )
    }
  }

  /** Reports properties of the model table that no statement copies: publications that list it, and security labels. */
  async #reportUncopied(): Promise<void> {
    const { of, parent } = this.options
    if (of.oid === parent) return
    const rows = await this.#session.ask(
      `SELECT 'the publication ' || p.pubname::text, 'it lists ' || ${literal(of.name.name)} || ' by itself: ALTER PUBLICATION ' || pg_catalog.quote_ident(p.pubname) || ' ADD TABLE'
         FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = ${literal(of.oid)}::oid
       UNION ALL SELECT DISTINCT 'the security label of ' || provider, 'labels are not copied' FROM pg_catalog.pg_seclabel
         WHERE classoid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND objoid = ${literal(of.oid)}::oid
       ORDER BY 1`,
    )
    for (const [what, why] of rows) this.missing.push({ what: what ?? '', why: why ?? '' })
  }
}

/** Runs a statement in the open transaction; returns why the server refuses it, or null. */
export async function refusalOf(session: CopySession, sql: string): Promise<string | null> {
  try {
    await session.ask(`SAVEPOINT own; ${sql}; RELEASE SAVEPOINT own`)
    return null
  } catch (error) {
    if (!session.alive || !isRefusal(error)) throw error
    await session.ask('ROLLBACK TO SAVEPOINT own')
    return (error as Error).message
  }
}

/** @param closed true: revokes rights of default privileges, so that only roles with rights on the model get any */
async function createTable(session: CopySession, name: TableName, sql: string, closed: boolean): Promise<KnownTable> {
  return await inTransaction(session, 'ISOLATION LEVEL READ COMMITTED READ WRITE', '', async () => {
    await session.ask(sql)
    const table = await tableByName(session, name)
    if (table === null) throw new Error('a table that was just created does not exist')
    if (closed) await revokeOthers(session, 'TABLE', table.oid)
    return table
  })
}

function leftOut(
  session: CopySession,
  { of, parent }: NewPartitionOptions,
  period: NonNullable<NewPartitionOptions['period']>,
  sideTable: KnownTable,
): Promise<readonly LeftOutConstraint[]> {
  return leaveOutOwn(session, of, { parent: { oid: parent, name: period.of }, sideTable, period })
}

/** Free names for indexes and statistics objects, derived from the names of the model table's objects. */
async function freshNames(
  session: CopySession,
  of: KnownTable,
  { schema, name }: TableName,
): Promise<ReadonlyMap<string, string>> {
  const rows = await session.ask(
    `SELECT c.oid, c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
     WHERE t.oid = ${literal(of.oid)}::oid AND NOT ${BUILT_BY_ATTACH}
     UNION ALL SELECT oid, stxname FROM pg_catalog.pg_statistic_ext WHERE stxrelid = ${literal(of.oid)}::oid ORDER BY 2`,
  )
  const taken = new Set(
    (
      await session.ask(
        `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ${literal(schema ?? '')}
         UNION SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = ${literal(schema ?? '')}
         UNION SELECT s.stxname FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE n.nspname = ${literal(schema ?? '')}`,
      )
    ).map(([one]) => one ?? ''),
  )
  const names = new Map<string, string>()
  for (const [oid, old = ''] of rows) {
    // Names given by a server or a user usually begin with the table's name.
    const own = old ?? ''
    const options = own.startsWith(of.name.name) ? name + own.slice(of.name.name.length) : `${name}_${own}`
    let fresh = Buffer.byteLength(options) > MOST_NAME_BYTES ? suffixed(name, oid ?? '') : options
    for (let count = 1; taken.has(fresh); count++) fresh = suffixed(options, String(count))
    taken.add(fresh)
    names.set(oid ?? '', fresh)
  }
  return names
}

/** A table that takes rows of the old default partition: a new partition, or the new default partition. */
export type SideTable = {
  readonly newTable: NewPartitionTable
  /** SQL condition: a row of the default partition belongs to this table. @param row its name in the statement */
  readonly belongs: (row: string) => string
  /** True if the key alone decides to which table a row belongs. */
  readonly byKey: boolean
  /** The partition that is created; null for the new default partition. */
  readonly coming: NewPartition | null
  rows: bigint
}
