/**
 * Answers a query over the source and its archive as of one moment. The ledger is read, then a view of the source is opened and rows begin to come;
 * if the ledger says by then that other partitions are archived than before, all of it is begun anew: so no row is missed and none counted twice.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isByValue } from '../ledger/by-value.ts'
import { readArchive, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import { isShownAs, otherMeaning } from '../types/index.ts'
import {
  columnIn,
  type AnswerRow,
  type LeftOut,
  type OpenArchiveQuery,
  type QueryColumn,
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
import type { CopyStore, LedgerDatabase } from '../../model/copy/port.ts'
import {
  archivedPartitions,
  awayPartitions,
  leavingPartitions,
  countedOf,
  localPaths,
  mayMatch,
  openFiles,
  placedFiles,
} from './archived-part.ts'
import { archiveOf, refusePerhapsRenamed } from '../work/find-archive.ts'
import { Ledgers } from '../work/find-ledger.ts'
import { refuseToAnswer } from '../plan/partition-archives.ts'
import { refuseSwappedColumns } from '../plan/swapped-columns.ts'
import { doubtOf } from '../steps/unsure-columns.ts'
import { seenArchive } from '../plan/table-changes.ts'
import { attachedTexts, awayTables, leavingTables, standingsOf, standingsText, type Standings } from './away-tables.ts'
import { hotPart, hotRows } from './hot-part.ts'
import { filesOf, sharedPartitions, sharesRows, unsettledRows } from './shared-partitions.ts'
import { queryColumns } from './query-columns.ts'
import { CheckedFiles } from './checked-files.ts'

/** How often a query begins anew, and the longest pause before it does. */
const TRIES = 30
const PAUSE_MS = { first: 20, most: 1000 }

export type Question = {
  readonly store: CopyStore
  readonly table: TableSpec
  readonly sql: string
  /** Most rows of the answer. */
  readonly limit: number
  /** Fetch files whole and compare their sha256 before anything is read from them. */
  readonly verify?: boolean
  readonly signal: AbortSignal
  readonly open: OpenArchiveQuery
  readonly lake: (root: string) => Promise<LogStore>
}

export type Answer = {
  readonly columns: readonly string[]
  /** Places of columns that the source shows as true and false; rows have 1 and 0 for that. */
  readonly booleans: ReadonlySet<number>
  readonly sources: QuerySourcesEvent
  /** False where the database knows of no archive of the table: then the answer has rows of the database only. */
  readonly hasArchive: boolean
  /** The name that the table had when it was archived; null where it has that one. */
  readonly formerName: string | null
  /** What the statement compares in another way than the database, in words. */
  readonly otherwise: readonly string[]
  /** Rows of the table under keys of archived ones that were gone: which of the two count, and how that is settled. */
  readonly unsettled: readonly string[]
  readonly pages: AsyncIterable<readonly AnswerRow[]>
}

/**
 * @param told gets the answer, which is open until it returns
 * @throws SluiceError BAD_QUERY, PARTITION_CHANGED, PARTITION_STATE, LEDGER_BUSY where archives change all the time; whatever the source throws
 */
export async function answer(question: Question, told: (answer: Answer) => Promise<void>): Promise<void> {
  const { store, table, signal } = question
  await using ledgers = await Ledgers.open(store, false)
  const found = await archiveOf({ store, ledgers }, table, signal)
  if (found.record === null) await refusePerhapsRenamed({ store, ledgers }, table, signal)
  else await refuseSwappedColumns(store, table, found.record, signal)
  const { name } = found
  const ledger = found.opened.database
  let given = false
  const telling = async ({ pages, ...rest }: Answer): Promise<void> => {
    // One may have been archived since, and has left before its rows were read.
    await refuseToAnswer({ store, ledgers }, table, signal)
    const watched = async function* (): AsyncGenerator<readonly AnswerRow[]> {
      for await (const page of pages) {
        given = true
        yield page
      }
    }
    return told({ ...rest, pages: watched() })
  }
  for (let tried = 1; tried <= TRIES; tried++) {
    const record = await readArchive(ledger, name)
    const standings = await standingsOf(store, table, record, signal)
    try {
      await answerOnce(question, ledger, { record, standings }, telling)
      return
    } catch (error) {
      throwIfAborted(signal)
      if (given || (error instanceof SluiceError && error.code === 'BAD_QUERY')) throw error
      // A table of which a partition is taken away fails its reader, and files go when their partition has been restored. One that came back and went
      // again has failed it too, and counts as before.
      const moved =
        error instanceof Moved ||
        standingsText(await standingsOf(store, table, record, signal)) !== standingsText(standings) ||
        (await readArchive(ledger, name))?.revision !== record?.revision
      if (!moved) throw error
    }
    await sleep(Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** tried), undefined, { signal }).catch(() =>
      throwIfAborted(signal),
    )
  }
  throw new SluiceError(
    'LEDGER_BUSY',
    `the partitions of ${tableText(table.table)} change faster than a query can look at them`,
    {
      where: store.label,
      hint: 'ask again when the archive run is over',
      retryable: true,
    },
  )
}

/** Other partitions are archived than when the query began. */
class Moved extends Error {}

async function answerOnce(
  { store, table, sql, limit, verify = false, signal, open, lake }: Question,
  ledger: LedgerDatabase,
  { record, standings }: { readonly record: ArchiveRecord | null; readonly standings: Standings },
  told: (answer: Answer) => Promise<void>,
): Promise<void> {
  const present = record === null ? null : await seenArchive(store, table, record, signal)
  const seen = present?.record ?? null
  const { leaving, attached } = standings
  const archived = archivedPartitions(record).filter(({ label }) => !attached.has(label))
  const filed = new Set(archived.flatMap((partition) => partition.columns.map(({ physical }) => physical)))
  const columns = queryColumns(table, seen?.stored ?? null, record?.stored.columns, filed)
  const files = archived.flatMap((partition) => partition.files)
  const root = record === null || files.length === 0 ? null : await lake(pathOfLocation(record.archive))
  await using query = await open({
    table: table.table,
    columns,
    sql,
    limit,
    files: await localPaths(root, files, signal),
    signal,
  })
  const { needs } = query
  const by =
    (archived.length === 0 && awayPartitions(record).length === 0 && leavingPartitions(record).length === 0) ||
    needs.intervals.length === 0
      ? null
      : await rangeColumn(store, table, seen, columns, signal)
  const read = archived.filter((partition) => mayMatch(partition, by, needs.intervals))
  // The bounds of such a partition tell its rows from those of the table.
  const cut = read.some(sharesRows) && record?.timeColumn != null ? [record.timeColumn] : []
  const doubt = doubtOf(table, present?.unsure ?? null, new Set([...needs.columns, ...cut]), read)
  if (doubt !== null) throw doubt
  refuseUncomputed(columns, needs, read)
  const wanted = read.flatMap(placedFiles)
  const shared = sharedPartitions(table, seen, columns, read)
  const physical = columns
    .filter(
      ({ name, archived: has }) => has && (needs.columns.has(name) || (shared.length > 0 && table.key.includes(name))),
    )
    .flatMap((column) => [column.physical, ...(column.earlier ?? [])])
  await using local =
    root === null ? null : await openFiles(root, wanted, verify ? null : physical, signal, new CheckedFiles())

  const hot = hotPart(store, table, seen, columns, query, shared)
  const late = shared.map(({ label, within }) => ({
    within,
    key: table.key,
    files: filesOf(label, read, local?.files ?? []),
  }))
  const unmoved = async (): Promise<void> => {
    const now = await readArchive(ledger, record?.table ?? table.table)
    if (countedOf(now) !== countedOf(record)) throw new Moved()
    if (standingsText(await standingsOf(store, table, now, signal)) !== standingsText(standings)) throw new Moved()
  }
  // Where all readers of a view see one moment, the first row settles what belongs to it; elsewhere only the last one does.
  const settled = store.can.snapshot === 'shared'
  const wantedAway = (partition: ArchivedPartition): boolean => mayMatch(partition, by, needs.intervals)
  const away = [
    ...(await awayTables(store, seen, (one) => wantedAway(one) && !attached.has(one.label), signal)),
    ...leavingTables(seen, leaving, wantedAway),
  ]
  const came = await (async () => {
    await using view = await store.source(signal)
    const rows = hotRows(view, hot, settled ? unmoved : async () => undefined, signal, away)
    const brought = await query.bring(hot.columns, rows.csv, hot.except, late)
    if (brought.rows === rows.rows()) return brought
    throw new SluiceError(
      'SOURCE_IO',
      `${rows.rows()} rows of ${tableText(table.table)} were read, and ${brought.rows} arrived`,
      {
        where: store.label,
        retryable: true,
      },
    )
  })()
  if (!settled) await unmoved()
  const sumOf = (of: keyof LeftOut): bigint => came.leftOut.reduce((sum, one) => sum + one[of], 0n)
  const moved = sumOf('moved')
  const untold = read
    .filter((partition) => sharesRows(partition) && !shared.some(({ label }) => label === partition.label))
    .map(({ label }) => label)
  const notLooked = [
    ...attachedTexts(attached),
    ...untold.map((label) => `${ALL_LEFT_OUT} ${label}`),
    ...otherTypes(seen, read, needs.columns),
  ]
  const asTexts = [...textsOf(columns, needs), ...otherMeanings(columns, needs, read)]
  const byBytes = collatedOf(columns, needs)
  await told({
    columns: query.columns,
    booleans: store.can.booleans === true ? query.booleans : new Set(),
    hasArchive: record !== null,
    otherwise: otherNumbers(columns, needs),
    unsettled: unsettledRows(tableText(table.table), read, shared, came.leftOut),
    formerName: record === null || tableText(record.table) === tableText(table.table) ? null : tableText(record.table),
    sources: {
      type: 'query.sources',
      table: tableText(table.table),
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
      ...(notLooked.length === 0 ? {} : { notLooked }),
      hotColumns: hot.columns.map(({ name }) => name),
    },
    pages: query.pages(local?.files ?? []),
  })
}

/**
 * Numbers that DuckDB compares in another way than the database that they are from. A number with a decimal point is
 * compared with a column of four bytes as one of eight by the databases, and as one of four by DuckDB. A number of two
 * digits is a year to MySQL and MariaDB.
 * @returns one sentence for each column that the statement reads, where it compares numbers of its type
 */
function otherNumbers(
  columns: readonly QueryColumn[],
  { columns: read, numbers = new Set() }: QueryNeeds,
): readonly string[] {
  return columns.flatMap(({ name, stored, column: { native } }) => {
    if (!read.has(name)) return []
    if (stored === 'float' && numbers.has('FLOAT'))
      return [
        `${name} (${native}) is compared with numbers of four bytes, where the database may take 0.1 for one of eight: CAST(${name} AS DOUBLE) compares as that`,
      ]
    const isYear = /^year\b/i.test(native) && (numbers.has('SMALLINT') || numbers.has('INTEGER'))
    return isYear
      ? [`${name} (${native}) is compared with all digits of the year, where the database takes 20 for 2020`]
      : []
  })
}

const ALL_LEFT_OUT = 'late rows, because rows of the table cannot be told from archived ones by key:'

/** @throws SluiceError BAD_QUERY for a column that the source computes, of rows that were archived before it had that column */
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
    const name = earlier === undefined ? '' : `ask for ${quotedName(earlier.name)}, which has their values, `
    throw new SluiceError('BAD_QUERY', `${column.name} has no values in ${labels}`, {
      reason: `the database computes the column, and these rows were archived ${since}`,
      hint: `${name}leave it out (SELECT * EXCLUDE (${quotedName(column.name)})), keep the condition to other periods, or restore ${labels}`,
    })
  }
}

/** Columns that the statement reads and may compare, whose values it has as texts, though they are none in the database. */
function textsOf(columns: readonly QueryColumn[], { columns: read, texts }: QueryNeeds): readonly string[] {
  // Of a UUID or a time the archive has one spelling: a literal may have another one that means the same value.
  const isText = ({ stored, as: { kind } }: QueryColumn): boolean => stored !== 'string' || kind === 'text'
  return columns
    .filter((column) => texts !== 'none' && read.has(column.name) && !isText(column))
    .map(({ name, column }) => `${name} (${column.native})`)
}

/** Columns that the statement reads, of which a text in older files names another value of the enum, or the composite, that the database has now. */
function otherMeanings(
  columns: readonly QueryColumn[],
  { columns: asked }: QueryNeeds,
  read: readonly ArchivedPartition[],
): readonly string[] {
  return columns.flatMap((column) => {
    if (!asked.has(column.name)) return []
    return read.flatMap(({ label, columns: files }) => {
      const file = files.find(({ physical }) => physical === column.physical)
      const other = file === undefined ? null : otherMeaning(file, column)
      return other === null ? [] : [`${column.name} of ${label} (${other})`]
    })
  })
}

/** Columns of texts that the statement reads and may compare, which it does by their bytes and the source by a collation, or without blanks at the end. */
function collatedOf(columns: readonly QueryColumn[], { columns: read, texts }: QueryNeeds): readonly string[] {
  if (texts === 'none') return []
  return columns.flatMap(({ name, as, column: { native, collation, sortsOnly } }) => {
    if (as.kind !== 'text' || !read.has(name)) return []
    if (collation !== undefined && (texts === 'order' || sortsOnly !== true))
      return [`${name} (${native}, collation ${collation})`]
    return as.padded === true ? [`${name} (${native}, padded)`] : []
  })
}

/** Columns that the statement reads, and that older files have under another name, because their values are none of the type by now. */
function otherTypes(
  record: ArchiveRecord | null,
  read: readonly ArchivedPartition[],
  asked: ReadonlySet<string>,
): readonly string[] {
  const { columns = [], kept = [] } = record?.stored ?? {}
  return kept.flatMap((earlier) => {
    const now = columns.find(({ was }) => was?.includes(earlier.physical) === true)
    if (now === undefined || !asked.has(now.name) || asked.has(earlier.name) || isShownAs(earlier, now)) return []
    const labels = read.filter((one) => one.columns.some(({ physical }) => physical === earlier.physical))
    if (labels.length === 0) return []
    const where = labels.map(({ label }) => label).join(', ')
    return [`values of ${now.name} in ${where}, which are ${earlier.column.native} and called ${earlier.name}`]
  })
}

/** The column that partitions are ranges of. */
async function rangeColumn(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord | null,
  columns: readonly QueryColumn[],
  signal: AbortSignal,
): Promise<QueryColumn | null> {
  // Values of a list are no ranges: all of their files are asked, and statistics in them skip rows.
  if (record !== null && isByValue(record)) return null
  const name = record?.timeColumn ?? (await store.partitions?.().list(table, signal))?.by
  return columns.find((column) => column.name === name) ?? null
}
