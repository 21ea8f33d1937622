/** Rows of a table in the source for a query: the condition, the columns, and the rows as CSV. */
import { isByValue } from '../ledger/by-value.ts'
import { cutCondition } from '../steps/cut-condition.ts'
import type { SharedColumn } from '../types/fit.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import type { ArchiveQuery, ExcludedRange, Interval, QueryColumn } from '../../model/archive/query-port.ts'
import { wireLine, wirePieces } from '../../model/archive/wire.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { ReadColumn } from '../../model/copy/read-column.ts'
import type { RowRequest, SourceView } from '../../model/copy/source-port.ts'
import { archivedPartitions } from './archived-part.ts'
import { isKnown, sharesRows, type SharedPartition } from './shared-partitions.ts'
import { unitsText, unitsOfDay } from './units.ts'

const BATCH = { rows: 5000, bytes: 4 * 1024 * 1024 }

/** Columns and rows that a query reads from the source. */
export type HotPart = {
  readonly columns: readonly QueryColumn[]
  readonly request: RowRequest
  /** Rows to leave out that the source could not filter. */
  readonly except: readonly ExcludedRange[]
}

/** Decides which columns and rows of the source a query reads. @param shared partitions that are compared by key */
export function hotPart(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord | null,
  columns: readonly QueryColumn[],
  query: Pick<ArchiveQuery, 'needs' | 'unread'>,
  shared: readonly SharedPartition[] = [],
): HotPart {
  const { conditions, except } = exceptions(store, table, record, columns, new Set(shared.map(({ label }) => label)))
  const { needs } = query
  const wanted = needs.intervals.flatMap((interval) => sourceCondition(store, table, columns, interval))
  const all = [...wanted, ...conditions]
  const where = isSingle(store) ? wanted[0] : all.map((condition) => `(${condition})`).join(' AND ')
  const reported = shared.length === 0 ? [] : [...table.key, ...shared.flatMap(({ within }) => within?.column ?? [])]
  const names = new Set([...needs.columns, ...except.map(({ column }) => column), ...reported])
  const found = columns.filter(({ name, hot }) => hot && names.has(name))
  const brought = found.length > 0 ? found : [narrowestColumn(columns)]
  return {
    columns: brought,
    except,
    request: {
      table,
      columns: brought.map(readColumn),
      range: { by: 'all' },
      where: where === undefined || where === '' ? null : where,
      ordered: false,
      instead: (shown) => query.unread(shown),
    },
  }
}

export type HotRows = {
  readonly csv: AsyncIterable<Buffer>
  /** Number of rows from the source; valid after the text has ended. */
  readonly rows: () => bigint
}

/**
 * A detached table whose rows the query reads.
 * @property shared its columns, each with the column of the present table; null if both tables have the same columns
 */
export type AwayTable = { readonly table: TableSpec; readonly shared: readonly SharedColumn[] | null }

/**
 * Rows of the table, then rows of detached tables.
 * @param begun called before the first row, or at the end if there are no rows: then the source's snapshot is fixed
 */
export function hotRows(
  view: SourceView,
  { request, columns }: HotPart,
  begun: () => Promise<void>,
  signal: AbortSignal,
  away: readonly AwayTable[] = [],
): HotRows {
  let rows = 0n
  const printed = async function* (one: RowRequest): AsyncGenerator<Buffer> {
    if (view.csv !== undefined) {
      const text = view.csv(one, signal)
      for (;;) {
        const next = await text.next()
        if (next.done === true) {
          rows += next.value
          return
        }
        yield next.value
      }
    }
    for await (const batch of view.read(one, BATCH, signal)) {
      rows += BigInt(batch.rows.length)
      yield* wirePieces(batch.rows, columns)
    }
  }
  /** Reads all rows without the condition, because the condition uses the present column names. */
  const fitted = async function* (table: TableSpec, shared: readonly SharedColumn[]): AsyncGenerator<Buffer> {
    const met = columns.map(({ physical }) => shared.find(({ now }) => now.physical === physical)?.file ?? null)
    const read = met.filter((file) => file !== null)
    const own = read.length === 0 ? shared.slice(0, 1).map(({ file }) => file) : read
    const one = { ...request, table, where: null, columns: own.map(readColumn) }
    const places = met.map((file) => (file === null ? -1 : read.indexOf(file)))
    for await (const batch of view.read(one, BATCH, signal)) {
      rows += BigInt(batch.rows.length)
      const lines = batch.rows.map((row) =>
        wireLine(
          places.map((at) => (at === -1 ? null : (row[at] ?? null))),
          columns,
        ),
      )
      yield Buffer.from(lines.join(''))
    }
  }
  const watched = async function* (): AsyncGenerator<Buffer> {
    let first = true
    for await (const bytes of printed(request)) {
      if (first) await begun()
      first = false
      yield bytes
    }
    if (first) await begun()
    for (const { table, shared } of away) {
      if (shared === null) yield* printed({ ...request, table })
      else yield* fitted(table, shared)
    }
  }
  return { csv: watched(), rows: () => rows }
}

/** A column without a declared type holds anything: a value of another class than its archived rows is refused. */
function readColumn({ name, as, column }: Pick<QueryColumn, 'name' | 'as' | 'column'>): ReadColumn {
  return { name, as, column, ...(column.typeOfNone === undefined ? {} : { exact: true as const }) }
}

function isSingle({ can }: CopyStore): boolean {
  return can.conditions === 'single'
}

/**
 * Excludes rows of a plain table that are already archived. `conditions` are for the source; `except` is for DuckDB, if
 * the source cannot filter these rows. A native partition needs neither, because it is detached as a whole. Rows of
 * partitions in `shared` are compared by key instead.
 */
function exceptions(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord | null,
  columns: readonly QueryColumn[],
  shared: ReadonlySet<string>,
): { readonly conditions: readonly string[]; readonly except: readonly ExcludedRange[] } {
  const conditions: string[] = []
  const except: ExcludedRange[] = []
  for (const partition of archivedPartitions(record)) {
    if (shared.has(partition.label) || !sharesRows(partition)) continue
    const column = columns.find(({ name }) => name === record?.timeColumn)
    const condition = record === null || isSingle(store) ? null : cutCondition(store, table, record, partition)
    // Rows without a time belong to no period.
    if (condition !== null) conditions.push(`NOT coalesce((${condition}), false)`)
    else except.push(exceptionOf(table, partition, record !== null && isByValue(record) ? undefined : column))
  }
  return { conditions, except }
}

function exceptionOf(
  table: TableSpec,
  { label, from, to }: ArchivedPartition,
  column: QueryColumn | undefined,
): ExcludedRange {
  if (column?.hot === true && isKnown(from, column) && isKnown(to, column)) return { column: column.name, from, to }
  throw new SluiceError(
    'PARTITION_STATE',
    `rows of ${label} cannot be distinguished from those that are still in ${tableText(table.table)}`,
    {
      reason: 'the partition is detached but not dropped, and its bounds are not times of the partition column',
      hint: 'drop or restore it, then query again',
    },
  )
}

/**
 * A condition for the source. Some sources store times as text, so the interval is extended at both ends: by a day, or
 * by 6 days for times with a zone, because such a text may have an offset up to `+99:99:99`.
 */
function sourceCondition(
  { offers: { times } }: CopyStore,
  table: TableSpec,
  columns: readonly QueryColumn[],
  { column: name, least, most }: Interval,
): readonly string[] {
  const column = columns.find((one) => one.name === name)
  const spec = table.columns.find((one) => one.name === name)
  if (column === undefined || spec === undefined || spec.type.kind !== column.as.kind) return []
  const { stored } = column
  const margin = unitsOfDay(stored) * (spec.type.kind === 'timestamp' && spec.type.zone ? 6n : 1n)
  const from = least === null ? null : unitsText(least - margin, stored)
  const to = most === null ? null : unitsText(most + 1n + margin, stored)
  if (from === null && to === null) return []
  const condition = times?.around?.(spec, from, to) ?? times?.condition(spec, from, to) ?? null
  return condition === null ? [] : [condition]
}

/** The narrowest column, for a query that only counts rows. */
function narrowestColumn(columns: readonly QueryColumn[]): QueryColumn {
  const hot = columns.filter((column) => column.hot)
  const slim = hot.find(({ stored }) => stored !== 'string' && stored !== 'binary') ?? hot[0]
  if (slim === undefined) throw new SluiceError('NO_SUCH_TABLE', 'a table without columns cannot be queried')
  return slim
}
