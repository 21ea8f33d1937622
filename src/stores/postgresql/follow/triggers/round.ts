/** One round: reports, as one transaction, all changes that one snapshot of the source shows in the logs. */
import type { Change, LogPosition, RowChange } from '../../../../model/copy/change.ts'
import { tableText, type ColumnType } from '../../../../model/copy/column-type.ts'
import type { Row } from '../../../../model/copy/rows.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import type { ReadColumn } from '../../../../model/copy/read-column.ts'
import type { PartitionChange } from '../../../common/reported-partitions.ts'
import { ReportedChanges, type NotedChanges } from '../../../common/trigger-stream/round-changes.ts'
import { arrayText } from '../../server/array-text.ts'
import { quoteName } from '../../server/connect.ts'
import { postgresSelection } from '../../server/cells.ts'
import { copyRows } from '../../copy/copy-rows.ts'
import { batches } from '../../server/lines.ts'
import { postgresLogKeyColumn } from '../../partition/maintenance/key-log.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import type { ReplicatedShape } from '../replication/shapes.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import { keysAs, type PostgresTableLog } from './log.ts'
import { WRITTEN } from './position.ts'

const KIND = 'ISOLATION LEVEL REPEATABLE READ READ ONLY'
/** Maximum number of rows, and of bytes, of one piece. */
const PIECE = { rows: 2000, bytes: 4 * 1024 * 1024 }
/** Lock timeout of a round, in ms. Later lock requests of other sessions wait behind the request of the round. */
const LOCK_MS = 1000

export type PostgresNotedTable = {
  readonly table: FollowedTable
  readonly log: PostgresTableLog
  /** OID and columns as of the start of the stream. */
  readonly shape: ReplicatedShape
  /** OIDs of its noted partitions, and of those reported as new. */
  readonly partitions: Set<string>
}

export type PostgresReportedRound = {
  /** Snapshot, as `pg_current_snapshot` prints it: exactly the notes visible in it were reported. */
  readonly snapshot: string
  /** Positions, in the list of tables, of the tables with reported changes. */
  readonly tables: readonly number[]
}

type Begun = PostgresReportedRound & {
  readonly type: 'begun'
  readonly at: number
  /** True if everything that the snapshot shows is on the source's disk. */
  readonly isWritten: boolean
  readonly noted: readonly Notes[]
  readonly added: readonly PartitionChange[]
}

/**
 * @property place index of the table
 * @property hasOtherUnique see `otherUniqueSql`
 * @property emptiedBy ids of the transactions that truncated the table: all rows must be read. Null without TRUNCATE:
 * then only the noted keys are read
 */
type Notes = {
  readonly place: number
  readonly count: number
  readonly hasOtherUnique: boolean
  readonly emptiedBy: readonly string[] | null
}

type Reshaped = Extract<Change, { type: 'reshaped' }>

type RoundOptions = {
  /** A session that is in no transaction. After the round it is in the round's transaction, without locks. */
  readonly session: CopySession
  readonly tables: readonly PostgresNotedTable[]
  /** Position that was read before the round, see `position.ts`. */
  readonly position: LogPosition
  /** Writes everything committed to the source's disk. */
  readonly flush: () => Promise<void>
  /** Called for each transaction that truncated a table, before the round reports it. */
  readonly onEmptied: (place: number, txid: string) => void
  /** Called for each new partition of a table with notes, before the round reports it. */
  readonly onPartition: (partition: PartitionChange) => void
}

/**
 * Yields the changes in pieces; none if no table has notes.
 * @returns null if a table could not be locked: then nothing was reported
 * @throws SluiceError VALUE_REFUSED, and errors of the server; then the session has to be destroyed
 */
export async function* postgresReportedRound(
  options: RoundOptions,
): AsyncGenerator<readonly Change[], PostgresReportedRound | null> {
  const { session, tables, position, flush, onEmptied, onPartition } = options
  const begun = await opened(options)
  if (begun === null) return null
  if (begun.type === 'reshaped') {
    yield [begun]
    return null
  }
  const { noted, added, at, snapshot, isWritten } = begun
  if (noted.length > 0) {
    if (!isWritten) await flush()
    yield [{ type: 'begin', xid: 0, commit: position, at }]
    // Report new partitions first, so that the source is inspected before their rows are applied: if a partition is
    // detached later, no note removes its rows.
    added.forEach(onPartition)
    if (added.length > 0) yield added
    const emptied = noted.flatMap(({ place, emptiedBy }) => (emptiedBy === null ? [] : [place]))
    for (const { place, emptiedBy } of noted) for (const txid of emptiedBy ?? []) onEmptied(place, txid)
    if (emptied.length > 0) yield [{ type: 'truncate', tables: emptied }]
    const changes = new ReportedChanges(
      emptied.length > 0 ? Infinity : noted.reduce((sum, { count }) => sum + count, 0),
    )
    for (const notes of noted) {
      const { place, emptiedBy } = notes
      const one = tables[place]
      if (one === undefined) continue
      if (emptiedBy === null) {
        yield* changes.of(changesOf(session, notes, one))
        continue
      }
      for await (const rows of rowsOf(session, one, null))
        yield rows.map((row): RowChange => ({ type: 'update', table: place, key: null, row }))
    }
  }
  // Release the locks: a read view may use this snapshot for long, and no session should wait for it.
  await session.ask('ROLLBACK TO SAVEPOINT round; RELEASE SAVEPOINT round')
  return { snapshot, tables: begun.tables }
}

/** Takes the locks, then the snapshot. @returns null if another session holds a table's lock */
async function opened({ session, tables }: RoundOptions): Promise<Begun | Reshaped | null> {
  const names = tables.map(({ table }) => tableSql(table.table.table)).join(', ')
  try {
    // The locks prevent a TRUNCATE between reading a log and its rows: TRUNCATE ignores snapshots.
    await session.begin(
      KIND,
      `SAVEPOINT round; SET LOCAL lock_timeout = ${LOCK_MS}; LOCK TABLE ${names} IN ACCESS SHARE MODE`,
    )
  } catch (error) {
    const state = sqlStateOf(error)
    if (!session.alive || !/^(?:55P03|40P01|42P01|3F000|42501)$/.test(state ?? '')) throw error
    await session.rollBack()
    if (state === '55P03' || state === '40P01') return null
    const place = await firstOther(session, tables)
    if (place === null) throw error
    return { type: 'reshaped', table: place, reason: 'it was dropped or renamed' }
  }
  const other = await firstOther(session, tables)
  if (other !== null) {
    await session.rollBack()
    return { type: 'reshaped', table: other, reason: 'it was replaced by another table, or has other columns' }
  }
  const counted = tables.map(
    (one, place) =>
      `SELECT ${place}, count(*), array_agg(DISTINCT txid) FILTER (WHERE emptied), ${otherUniqueSql(one)} FROM ${tableSql(one.log.table)} HAVING count(*) > 0`,
  )
  const rows = await session.ask(counted.join(' UNION ALL '))
  // `now()` is the start of the transaction, before its snapshot: the snapshot has everything committed until `now()`.
  const [now] = await session.ask(
    `SELECT pg_catalog.pg_current_snapshot(), floor(extract(epoch FROM pg_catalog.now()) * 1000)::bigint, ${WRITTEN}`,
  )
  // Look up keys one by one: other plans may read a whole large table for a few keys.
  await session.ask('SET LOCAL enable_hashjoin TO off; SET LOCAL enable_mergejoin TO off')
  const noted = rows
    .map(([place, count, txids, unique]) => ({
      place: Number(place),
      count: Number(count),
      hasOtherUnique: unique === 't',
      emptiedBy: txids == null ? null : txids.slice(1, -1).split(','),
    }))
    .toSorted((a, b) => a.place - b.place)
  return {
    type: 'begun',
    snapshot: now?.[0] ?? '',
    at: Number(now?.[1]),
    isWritten: now?.[3] === 't',
    noted,
    added: await newPartitions(session, tables, noted),
    tables: noted.map(({ place }) => place),
  }
}

/** Returns each new partition of a table with notes once. Takes no locks. */
async function newPartitions(
  session: CopySession,
  tables: readonly PostgresNotedTable[],
  noted: readonly Notes[],
): Promise<readonly PartitionChange[]> {
  const roots = noted.flatMap(({ place }) => {
    const [root] = tables[place]?.shape.nodes ?? []
    return root?.kind === 'p' ? [`(${place}, ${root.oid}::oid)`] : []
  })
  if (roots.length === 0) return []
  const rows = await session.ask(
    `WITH RECURSIVE tree AS (
       SELECT w.place, w.oid FROM (VALUES ${roots.join(', ')}) AS w (place, oid)
       UNION ALL SELECT t.place, i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
     SELECT t.place, t.oid, pg_catalog.concat(n.nspname, '.', c.relname)
     FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`,
  )
  return rows.flatMap(([at, oid, name]) => {
    const [table, id] = [Number(at), oid ?? '']
    const known = tables[table]?.partitions
    if (known === undefined || known.has(id)) return []
    known.add(id)
    return [{ type: 'partition', table, id, name: name ?? '' } as const]
  })
}

/**
 * Index of the first table that has changed: its followed columns differ, or another table has its name. Null if none.
 */
async function firstOther(session: CopySession, tables: readonly PostgresNotedTable[]): Promise<number | null> {
  const wanted = tables.map(({ table, shape }, at) => {
    const followed = new Set(table.columns.map(({ name }) => name))
    const columns = shape.columns.filter(({ name }) => followed.has(name))
    const list = arrayText(columns.map(({ place, name, type }) => `${place} ${type} ${name}`))
    return `(${at}, ${shape.nodes[0]?.oid ?? '0'}::oid, ${literal(tableSql(table.table.table))}, ${literal(list)}::text[])`
  })
  const rows = await session.ask(
    `SELECT w.place FROM (VALUES ${wanted.join(', ')}) AS w (place, oid, name, columns)
     WHERE pg_catalog.to_regclass(w.name)::oid IS DISTINCT FROM w.oid OR NOT w.columns <@ ARRAY(
       SELECT a.attnum::text || ' ' || a.atttypid::text || ' ' || a.atttypmod::text || ' ' || a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = w.oid AND NOT a.attisdropped)
     ORDER BY w.place LIMIT 1`,
  )
  return rows.length === 0 ? null : Number(rows[0]?.[0])
}

function changesOf(session: CopySession, { place, hasOtherUnique }: Notes, one: PostgresNotedTable): NotedChanges {
  const { table } = one
  const keys = `(${distinctKeys(one)}) AS k`
  const identity = table.identity.flatMap((name) => table.columns.find((column) => column.name === name) ?? [])
  const there = `EXISTS (SELECT FROM ${tableSql(table.table.table)} AS t WHERE ${sameKey(table)})`
  const all = `SELECT ${identity.map(postgresSelection).join(', ')} FROM ${keys}`
  return {
    place,
    table,
    hasOtherUnique,
    gone: (isAll) => read(session, one, isAll ? all : `${all} WHERE NOT ${there}`, identity),
    rows: () => rowsOf(session, one, keys),
  }
}

/**
 * SQL: true if the table or a partition has a unique index besides its key. Exclusion constraints count too.
 */
function otherUniqueSql({ shape }: PostgresNotedTable): string {
  const root = `${shape.nodes[0]?.oid ?? '0'}::oid`
  return `EXISTS (SELECT FROM pg_catalog.pg_index i WHERE (i.indisunique OR i.indisexclusion)
    AND i.indrelid IN (${treeSql(root)}) GROUP BY i.indrelid HAVING count(*) > 1)`
}

/** @param keys FROM item with the keys of the rows; null for all rows of the table */
function rowsOf(session: CopySession, one: PostgresNotedTable, keys: string | null): AsyncGenerator<readonly Row[]> {
  const { table } = one
  const name = tableSql(table.table.table)
  const all = `SELECT t.* FROM ${name} AS t${keys === null ? '' : ` JOIN ${keys} ON ${sameKey(table)}`}`
  const query = `SELECT ${table.columns.map(postgresSelection).join(', ')} FROM (${all}) AS r`
  return read(session, one, query, table.columns)
}

/**
 * SQL of the noted keys without duplicates. Equal keys with different texts count as different keys: after an update of
 * 'a' to 'A', the target still has 'a'.
 */
function distinctKeys({ table, log }: PostgresNotedTable): string {
  const columns = log.key.map(({ name }, i) => spelledSql(table, name, postgresLogKeyColumn(i)))
  return `SELECT DISTINCT ON (${columns.join(', ')}) ${keysAs(log)} FROM ${tableSql(log.table)}`
}

/** SQL condition: keys are equal by their type, so that an index can be used, and their texts are equal too. */
function sameKey(table: FollowedTable): string {
  return table.identity
    .flatMap((name) => {
      const sides = ['t', 'k'].map((side) => `${side}.${quoteName(name)}`)
      const spelled = sides.map((sql) => spelledSql(table, name, sql))
      return [sides, ...(spelled[0] === sides[0] ? [] : [spelled])].map((both) => both.join(' = '))
    })
    .join(' AND ')
}

/**
 * Kinds whose values may be equal although their canonical texts differ: citext, collations, intervals. Decimals are
 * not among them: 1.0 and 1.00 have one canonical text.
 */
const SPELLED: ReadonlySet<ColumnType['kind']> = new Set(['text', 'native', 'list'])

/**
 * SQL of a value for comparisons: its text, compared by bytes. For types whose equal values always have the same text,
 * the value itself.
 */
function spelledSql({ columns }: FollowedTable, name: string, sql: string): string {
  const kind = columns.find((column) => column.name === name)?.column.type.kind
  return kind !== undefined && SPELLED.has(kind) ? `pg_catalog.concat(${sql}) COLLATE pg_catalog."C"` : sql
}

async function* read(
  session: CopySession,
  { table: { table } }: PostgresNotedTable,
  query: string,
  columns: readonly ReadColumn[],
): AsyncGenerator<readonly Row[]> {
  const { pieces } = copyRows(session, query, 'text')
  for await (const { rows } of batches(pieces, { table: tableText(table.table), columns, size: PIECE })) yield rows
}
