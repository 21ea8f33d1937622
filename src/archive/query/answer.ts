/**
 * Answers a query over the source and its archive as of one snapshot. Reads the ledger, opens a snapshot of the source,
 * and reads the ledger again. If the archived partitions have changed, the query starts again, so that no row is missed
 * or counted twice.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { readArchive, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import {
  columnIn,
  type QueryAnswerRow,
  type ArchiveQuery,
  type LeftOutRows,
  type OpenArchiveQuery,
  type QueryColumn,
  type QueryFile,
  type QueryNeeds,
} from '../../model/archive/query-port.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { dec } from '../../model/run/event.ts'
import type { QuerySourcesEvent } from '../../model/archive/events.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { pathOfLocation } from '../../model/lake/lake-url.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { quotedName } from '../../shared/sql-text.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import {
  archivedPartitions,
  detachedPartitions,
  leavingPartitions,
  readFingerprint,
  localPaths,
  mayMatch,
  openFiles,
  placedFiles,
} from './archived-part.ts'
import { archiveOf, refuseMaybeRenamed } from '../work/find-archive.ts'
import { Ledgers } from '../work/find-ledger.ts'
import { missingError, replacedText } from '../plan/missing-partitions.ts'
import { refuseToAnswer } from '../plan/partition-archives.ts'
import { refuseSwappedColumns } from '../plan/swapped-columns.ts'
import { rangeColumnName } from '../steps/range-column.ts'
import { doubtOf } from '../steps/unsure-columns.ts'
import { readOnlyArchive } from '../plan/table-changes.ts'
import {
  attachedTexts,
  detachedTables,
  leavingTables,
  findTablePlaces,
  placesText,
  type TablePlaces,
} from './detached-tables.ts'
import { hotPart, hotRows } from './hot-part.ts'
import { filesOf, sharedPartitions, sharesRows, unsettledRows } from './shared-partitions.ts'
import { queryColumns } from './query-columns.ts'
import {
  collatedOf,
  comparedTexts,
  otherExpressions,
  otherMeanings,
  otherNumbers,
  otherTypes,
} from './different-comparisons.ts'
import { CheckedFiles } from './checked-files.ts'

/** Retry limit of a query, and the pauses between retries, ms. */
const TRIES = 30
const PAUSE_MS = { first: 20, most: 1000 }

export type ArchiveQuestion = {
  readonly store: CopyStore
  readonly table: TableSpec
  readonly sql: string
  /** Maximum number of rows of the answer. */
  readonly limit: number
  /** True: download files completely and compare their sha256 before they are read. */
  readonly verify?: boolean
  readonly signal: AbortSignal
  readonly open: OpenArchiveQuery
  readonly lake: (root: string) => Promise<LogStore>
}

export type ArchiveAnswer = {
  readonly columns: readonly string[]
  /** Positions of columns that the source shows as true and false; rows have 1 and 0 there. */
  readonly booleans: ReadonlySet<number>
  readonly sources: QuerySourcesEvent
  /** False if the database has no archive of the table: the answer then has rows of the database only. */
  readonly hasArchive: boolean
  /** Name of the table when it was archived; null if it is unchanged. */
  readonly formerName: string | null
  /** Texts about comparisons that the statement makes differently from the database. */
  readonly comparisonNotes: readonly string[]
  /** Texts about rows that the answer lacks: table rows with keys of archived rows, and rows of replaced partitions. */
  readonly missingRowNotes: readonly string[]
  readonly pages: AsyncIterable<readonly QueryAnswerRow[]>
}

/**
 * @param reported called with the answer, which is valid until the promise of `reported` resolves
 * @throws SluiceError BAD_QUERY, PARTITION_CHANGED, PARTITION_STATE, LEDGER_BUSY if the archive changes in every try;
 * errors of the source
 */
export async function answer(
  question: ArchiveQuestion,
  reported: (answer: ArchiveAnswer) => Promise<void>,
): Promise<void> {
  const { store, table, signal } = question
  await using ledgers = await Ledgers.open(store, false)
  const found = await archiveOf({ store, ledgers }, table, signal)
  if (found.record === null) await refuseMaybeRenamed({ store, ledgers }, table, signal)
  else await refuseSwappedColumns(store, table, found.record, signal)
  const { name } = found
  const ledger = found.opened.database
  let given = false
  const reportPages = async ({ pages, ...rest }: ArchiveAnswer): Promise<void> => {
    // The rows were read before this check: until then, another program may have archived a partition as a table of
    // its own and removed its rows.
    await refuseToAnswer({ store, ledgers }, table, signal)
    const watched = async function* (): AsyncGenerator<readonly QueryAnswerRow[]> {
      for await (const page of pages) {
        given = true
        yield page
      }
    }
    return reported({ ...rest, pages: watched() })
  }
  for (let tried = 1; tried <= TRIES; tried++) {
    const record = await readArchive(ledger, name)
    const standings = await findTablePlaces(store, table, record, signal)
    try {
      await answerOnce({ question, ledger, record, standings }, reportPages)
      return
    } catch (error) {
      throwIfAborted(signal)
      if (given || (error instanceof SluiceError && error.code === 'BAD_QUERY')) throw error
      // The read may fail because a partition was detached, or its files were deleted after a restore. Compare also the
      // revision of the ledger: a partition that was restored and archived again has the same state as before.
      const moved =
        error instanceof ArchiveChanged ||
        placesText(await findTablePlaces(store, table, record, signal)) !== placesText(standings) ||
        (await readArchive(ledger, name))?.revision !== record?.revision
      if (!moved) throw error
    }
    await sleep(Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** tried), undefined, { signal }).catch(() =>
      throwIfAborted(signal),
    )
  }
  throw new SluiceError(
    'LEDGER_BUSY',
    `the partitions of ${tableText(table.table)} change faster than a query can read them`,
    { where: store.label, hint: 'query again when the archive run has ended', retryable: true },
  )
}

/** Thrown if the set of archived partitions has changed since the query began. */
class ArchiveChanged extends Error {}

/** One attempt: the ledger's record of the archive, and the places of tables that the ledger alone does not show. */
type Attempt = {
  readonly question: ArchiveQuestion
  readonly ledger: LedgerDatabase
  readonly record: ArchiveRecord | null
  readonly standings: TablePlaces
}

async function answerOnce(one: Attempt, reported: (answer: ArchiveAnswer) => Promise<void>): Promise<void> {
  const { store, table, sql, limit, verify = false, signal, open } = one.question
  const seen = await inspect(one)
  const { columns, root } = seen
  const files = await localPaths(root, seen.files, signal)
  const { expressions } = store.can
  const rules = expressions === undefined ? {} : { expressions }
  await using query = await open({ table: table.table, columns, sql, limit, files, signal, ...rules })
  const needed = await neededOf(seen, query)
  await using local =
    root === null
      ? null
      : await openFiles(root, needed.wanted, verify ? null : physicalOf(needed), signal, new CheckedFiles())
  const brought = await loadRows(needed, local?.files ?? [])
  await reported(answerOf(brought, local))
}

/** The archive with the table's present columns, and its files. */
type CurrentArchive = Attempt & {
  readonly present: Awaited<ReturnType<typeof readOnlyArchive>> | null
  readonly seen: ArchiveRecord | null
  readonly archived: readonly ArchivedPartition[]
  readonly columns: readonly QueryColumn[]
  readonly files: ArchivedPartition['files']
  /** Store of the archive's files; null if the archive has no files. */
  readonly root: LogStore | null
}

async function inspect(one: Attempt): Promise<CurrentArchive> {
  const { question, record, standings } = one
  const { store, table, signal, lake } = question
  const present = record === null ? null : await readOnlyArchive(store, table, record, signal)
  const seen = present?.record ?? null
  const archived = archivedPartitions(record).filter(({ label }) => !standings.attached.has(label))
  const filed = new Set(archived.flatMap((partition) => partition.columns.map(({ physical }) => physical)))
  const columns = queryColumns(table, seen?.stored ?? null, record?.stored.columns, filed)
  const files = archived.flatMap((partition) => partition.files)
  const root = record === null || files.length === 0 ? null : await lake(pathOfLocation(record.archive))
  return { ...one, present, seen, archived, columns, files, root }
}

/** Partitions and files that the statement needs. */
type Needed = CurrentArchive & {
  readonly query: ArchiveQuery
  readonly mayMatch: (partition: ArchivedPartition) => boolean
  readonly read: readonly ArchivedPartition[]
  readonly wanted: ReturnType<typeof placedFiles>
  /** Partitions of `read` whose archived rows are still in the table: these rows are recognised by key. */
  readonly shared: ReturnType<typeof sharedPartitions>
}

/**
 * @throws SluiceError BAD_QUERY for columns that have no values in the files, or that may have been renamed;
 * PARTITION_CHANGED if a published partition that the query needs was detached by hand
 */
async function neededOf(given: CurrentArchive, query: ArchiveQuery): Promise<Needed> {
  const { question, record, present, seen, archived, columns } = given
  const { missing } = given.standings
  const { store, table, signal } = question
  const { needs } = query
  const isHere =
    archived.length === 0 &&
    detachedPartitions(record).length === 0 &&
    leavingPartitions(record).length === 0 &&
    missing.length === 0
  const by = isHere || needs.intervals.length === 0 ? null : await rangeColumn(store, table, seen, columns, signal)
  const matches = (partition: ArchivedPartition): boolean => mayMatch(partition, by, needs.intervals)
  // If no other partition covers its range, the rows of a missing partition are in no table that the query reads.
  const lost = missing.find(({ partition, isReplaced }) => !isReplaced && matches(partition))
  if (lost !== undefined) throw missingError(table, lost)
  const read = archived.filter(matches)
  // Partitions that share rows with the table need the time column: their bounds separate archived from other rows.
  const cut = read.some(sharesRows) && record?.timeColumn != null ? [record.timeColumn] : []
  const doubt = doubtOf(table, present?.unsure ?? null, new Set([...needs.columns, ...cut]), read)
  if (doubt !== null) throw doubt
  refuseUncomputed(columns, needs, read)
  const shared = sharedPartitions(table, seen, columns, read)
  return { ...given, query, mayMatch: matches, read, wanted: read.flatMap(placedFiles), shared }
}

/** Names of the file columns to read, including earlier ones. */
function physicalOf({ question: { table }, columns, query: { needs }, shared }: Needed): readonly string[] {
  const isRead = (name: string): boolean => needs.columns.has(name) || (shared.length > 0 && table.key.includes(name))
  return columns
    .filter(({ name, archived }) => archived && isRead(name))
    .flatMap((column) => [column.physical, ...(column.earlier ?? [])])
}

/** State after the rows of the table were read, from the same snapshot as the archive. */
type LoadedRows = Needed & {
  readonly hot: ReturnType<typeof hotPart>
  readonly came: Awaited<ReturnType<ArchiveQuery['addRows']>>
}

/** @throws ArchiveChanged if other partitions are archived now; SluiceError SOURCE_IO */
async function loadRows(needed: Needed, files: readonly QueryFile[]): Promise<LoadedRows> {
  const { question, ledger, record, standings, seen, columns, query, read, shared } = needed
  const { store, table, signal } = question
  const { leaving, attached } = standings
  const hot = hotPart(store, table, seen, columns, query, shared)
  const { key } = table
  const respelled = table.columns.some(
    (one) => key.includes(one.name) && store.offers.spellings?.condition(one) != null,
  )
  const late = shared.map(({ label, within }) => ({ within, key, respelled, files: filesOf(label, read, files) }))
  const unmoved = async (): Promise<void> => {
    const now = await readArchive(ledger, record?.table ?? table.table)
    if (readFingerprint(now) !== readFingerprint(record)) throw new ArchiveChanged()
    if (placesText(await findTablePlaces(store, table, now, signal)) !== placesText(standings))
      throw new ArchiveChanged()
  }
  // If all readers share one snapshot, check the ledger at the first row; otherwise after the last row.
  const settled = store.can.snapshot === 'shared'
  const away = [
    ...(await detachedTables(store, seen, (one) => needed.mayMatch(one) && !attached.has(one.label), signal)),
    ...leavingTables(seen, leaving, needed.mayMatch),
  ]
  const brought = async (): Promise<LoadedRows['came']> => {
    await using view = await store.source(signal)
    const rows = hotRows(view, hot, settled ? unmoved : async () => undefined, signal, away)
    const came = await query.addRows(hot.columns, rows.csv, hot.except, late)
    if (came.rows === rows.rows()) return came
    const message = `the query received ${came.rows} of the ${rows.rows()} rows that were read from ${tableText(table.table)}`
    throw new SluiceError('SOURCE_IO', message, {
      where: store.label,
      retryable: true,
      hint: 'run the same command again',
    })
  }
  const came = await brought()
  if (!settled) await unmoved()
  return { ...needed, hot, came }
}

function answerOf(brought: LoadedRows, local: Awaited<ReturnType<typeof openFiles>> | null): ArchiveAnswer {
  const { question, record, standings, seen, archived, columns, files, query, read, wanted, shared } = brought
  const { hot, came } = brought
  const { store, table, verify = false } = question
  const { needs } = query
  const name = tableText(table.table)
  const sumOf = (of: keyof LeftOutRows): bigint => came.leftOut.reduce((sum, one) => sum + one[of], 0n)
  const moved = sumOf('moved')
  const notShared = read.filter((one) => sharesRows(one) && !shared.some(({ label }) => label === one.label))
  const notInspected = [
    ...attachedTexts(standings.attached),
    ...notShared.map(({ label }) => `${ALL_LEFT_OUT} ${label}`),
    ...otherTypes(seen, read, needs.columns),
  ]
  const asTexts = [...comparedTexts(columns, needs), ...otherMeanings(columns, needs, read)]
  const byBytes = collatedOf(columns, needs)
  return {
    columns: query.columns,
    booleans: store.can.booleans === true ? query.booleans : new Set(),
    hasArchive: record !== null,
    comparisonNotes: [...otherNumbers(columns, needs), ...otherExpressions(columns, needs, read)],
    missingRowNotes: [
      ...unsettledRows(name, read, shared, came.leftOut),
      ...standings.missing.flatMap(({ partition }) => (brought.mayMatch(partition) ? [replacedText(partition)] : [])),
    ],
    formerName: record === null || tableText(record.table) === name ? null : tableText(record.table),
    sources: {
      type: 'query.sources',
      table: name,
      partitions: { read: dec(read.length), of: dec(archived.length) },
      files: { read: dec(wanted.length), of: dec(files.length) },
      ...(verify ? { verified: dec(wanted.length) } : {}),
      ...(local === null || local.unchecked === 0 ? {} : { unchecked: dec(local.unchecked) }),
      zone: 'UTC',
      hotRows: dec(came.rows),
      ...(shared.length === 0 ? {} : { leftOut: dec(sumOf('keyed')) }),
      ...(moved === 0n ? {} : { moved: dec(moved) }),
      ...(asTexts.length === 0 ? {} : { asTexts }),
      ...(byBytes.length === 0 ? {} : { byBytes }),
      ...(notInspected.length === 0 ? {} : { notLooked: notInspected }),
      hotColumns: hot.columns.map((column) => column.name),
    },
    pages: query.pages(local?.files ?? []),
  }
}

const ALL_LEFT_OUT = 'late rows, because rows of the table cannot be distinguished from archived ones by key:'

/** @throws SluiceError BAD_QUERY for a generated column of the source, if rows were archived before it existed */
function refuseUncomputed(
  columns: readonly QueryColumn[],
  needs: QueryNeeds,
  read: readonly ArchivedPartition[],
): void {
  for (const column of columns) {
    if (column.column.generated !== true || !column.hot || !needs.columns.has(column.name)) continue
    const lacking = read.filter((partition) => columnIn(partition.columns, column) === undefined)
    if (lacking.length === 0) continue
    const labels = lacking.map(({ label }) => label).join(', ')
    const earlier = columns.find(({ physical }) => column.was?.includes(physical) === true)
    const since = earlier === undefined ? 'before it was added' : 'when it was stored as another type'
    const name = earlier === undefined ? '' : `select ${quotedName(earlier.name)}, which has their values, `
    throw new SluiceError(
      'BAD_QUERY',
      `the query cannot read column ${column.name} in ${labels}: these rows have no value for it`,
      {
        reason: `the database computes the column, and these rows were archived ${since}`,
        hint: `${name}remove the column from the query (SELECT * EXCLUDE (${quotedName(column.name)})), limit the condition to other periods, or restore ${labels}`,
      },
    )
  }
}

/** The column whose ranges are the partitions; null for partitions by value. */
async function rangeColumn(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord | null,
  columns: readonly QueryColumn[],
  signal: AbortSignal,
): Promise<QueryColumn | null> {
  // Values are not ranges: open all files. DuckDB skips rows by their statistics.
  const name = await rangeColumnName(store, table, record, signal)
  return columns.find((column) => column.name === name) ?? null
}
