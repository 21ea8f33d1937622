/** Counts rows of archived periods that are still in a table, if that is cheap or requested. */
import type { RowsPlace } from '../steps/rows-now.ts'
import { cutCondition } from '../steps/cut-condition.ts'
import { isByValue } from '../ledger/by-value.ts'
import { byPeriod, isInSource, isInProgress } from '../ledger/parts.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { isArchived } from '../../model/archive/state.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import type { ScanCost } from '../../model/archive/port.ts'
import type { CopyStore } from '../../model/copy/port.ts'

/** Largest number of rows that is counted without request: takes less than a second on any system. */
export const COUNTED_AT_ONCE = 1_000_000n
/** Limit of separate ranges in one request to the planner; above it, one range from the first to the last is sent. */
const MOST_SPANS = 50

export type PeriodSource = { readonly store: CopyStore; readonly table: TableSpec; readonly signal: AbortSignal }

/** Result for one archived period of a plain table, or for late rows of a removed native partition. */
export type PeriodState =
  /**
   * `surplus`: rows beyond the expected number; negative if some are missing. `cheap`: counted in about a second.
   * `place`: the default partition, if the rows were counted there.
   */
  | { readonly rows: bigint; readonly surplus: bigint; readonly cheap: boolean; readonly place?: RowsPlace }
  /** The reason why it was not checked. */
  | { readonly notInspected: string }

type Period = { readonly partition: ArchivedPartition; readonly condition: string; readonly expected: bigint }
type Cut = { readonly timeColumn: string; readonly calendar: string }
/** A table, and the column and calendar that decide the period of a row. */
type Periods = { readonly source: PeriodSource; readonly cut: Cut; readonly what: string }

/**
 * Counts the rows of archived periods that are still in the source. A count does not detect replaced rows or changed
 * values.
 * @param options `cheap`: only if it takes about a second; `any`: however long it takes
 * @returns an entry for each archived or expired period that may have rows in the source
 */
export async function periodRows(
  source: PeriodSource,
  record: ArchiveRecord,
  options: 'cheap' | 'any',
): Promise<ReadonlyMap<string, PeriodState>> {
  const natives = record.partitions.filter(
    ({ state, native }) => (isArchived(state) || state === 'EXPIRED') && native !== null,
  )
  const cut = { timeColumn: record.timeColumn ?? '', calendar: record.calendar }
  const whole = { source, cut, what: 'rows in the table' }
  const inspections = new Map(await rowsInspectedAt(whole, plainPeriods(record), options))
  const rest = natives.length === 0 ? null : await defaultOf(source, record)
  const late = rest === null ? null : await rowsInspectedAt(rest, widest(natives), options)
  for (const { label, state } of natives) {
    const inDefault = late?.get(label)
    const isFound = inDefault !== undefined && 'rows' in inDefault && inDefault.rows > 0n
    const detached = `rows of the detached table; ${DEEP}`
    if (state !== 'DETACHED' || isFound) {
      if (inDefault !== undefined) inspections.set(label, inDefault)
    } else if (inDefault !== undefined && 'notInspected' in inDefault) {
      inspections.set(label, { notInspected: `${detached}; ${inDefault.notInspected}` })
    } else inspections.set(label, { notInspected: detached })
  }
  return inspections
}

/** Archived parts of a period of a plain table. @property partition the part whose rows may still be in the table */
type Group = {
  readonly partition: ArchivedPartition
  readonly parts: readonly ArchivedPartition[]
  readonly why?: string
}

/** Periods without parts in progress: the expected number of rows of such a part is unknown. */
function plainPeriods({ partitions }: ArchiveRecord): readonly Group[] {
  const groups = [...byPeriod(partitions.filter(({ native }) => native === null)).values()]
  return groups.flatMap((all): Group[] => {
    const parts = all.filter(({ state }) => isArchived(state) || state === 'EXPIRED')
    const partition = parts.find(({ state }) => state === 'DETACHED') ?? parts.at(-1)
    if (partition === undefined || all.some((one) => isInProgress(one) && !isArchived(one.state))) return []
    const back = all.find(isInSource)
    const why = back === undefined ? {} : { why: `rows of ${back.label}, which was restored, are among them` }
    return [{ partition, parts, ...why }]
  })
}

/**
 * Selects for each period its first part, whose range includes late rows of all parts. If the first part is not among
 * the partitions, selects one part for each range.
 */
function widest(natives: readonly ArchivedPartition[]): readonly Group[] {
  return [...byPeriod(natives).values()].flatMap((parts) => {
    const first = parts.find(({ part }) => part === 1)
    const apart = parts.filter(({ from, to }, i) => parts.findIndex((one) => one.from === from && one.to === to) === i)
    return (first === undefined ? apart : [first]).map((partition) => ({ partition, parts: [partition] }))
  })
}

/** The default partition, which has late rows of removed partitions; null if the table has none. */
async function defaultOf({ store, table, signal }: PeriodSource, { calendar }: ArchiveRecord): Promise<Periods | null> {
  const listed = table.columns.length === 0 ? null : ((await store.offers.partitions?.list(table, signal)) ?? null)
  const rest = listed?.partitions.find(({ isDefault }) => isDefault)
  if (listed === null || rest === undefined || rest.table.columns.length === 0) return null
  const cut = { timeColumn: listed.by, calendar }
  return { source: { store, table: rest.table, signal }, cut, what: 'rows in the default partition' }
}

async function rowsInspectedAt(
  place: Periods,
  groups: readonly Group[],
  options: 'cheap' | 'any',
): Promise<ReadonlyMap<string, PeriodState>> {
  const { source, what } = place
  const inspections = new Map<string, PeriodState>()
  const periods: Period[] = []
  for (const group of groups) {
    const { partition } = group
    const period = group.why ?? periodOf(place, group)
    if (typeof period === 'string') inspections.set(partition.label, { notInspected: `${what}: ${period}` })
    else periods.push(period)
  }
  if (periods.length === 0) return inspections
  const effort = await effortOf(place, periods)
  const limit = options === 'cheap' ? COUNTED_AT_ONCE : null
  if (limit !== null && (effort.rows === null || effort.rows > limit)) {
    const notInspected = `${what}: ${tooManyText(effort, place)}`
    for (const { partition } of periods) inspections.set(partition.label, { notInspected: notInspected })
    return inspections
  }
  const counts = await countsOf(source, periods, effort)
  const cheap = effort.by === 'index' || (effort.rows !== null && effort.rows <= COUNTED_AT_ONCE)
  for (const [i, { partition, expected, condition }] of periods.entries()) {
    const rows = counts[i]
    const own = partition.native === null ? {} : { place: { table: source.table, where: condition } }
    if (rows == null) inspections.set(partition.label, { notInspected: `${what}: ${UNCOUNTABLE}` })
    else inspections.set(partition.label, { rows, surplus: rows - expected, cheap, ...own })
  }
  return inspections
}

const DEEP = 'sluice archive verify --deep adds them up'
const UNCOUNTABLE = 'the database does not count tables of this size'

/** Condition and expected rows of a period; a string is the reason why it cannot be counted. */
function periodOf({ source: { store, table }, cut }: Periods, { partition, parts }: Group): Period | string {
  const { timeColumn } = cut
  if (!table.columns.some(({ name }) => name === timeColumn)) {
    return table.columns.length === 0 ? 'the table is gone' : `the table no longer has the column ${timeColumn}`
  }
  if (partition.native === null && parts.some(({ restoring }) => restoring)) return 'they are being restored'
  const condition = cutCondition(store, table, cut, partition)
  if (condition === null) {
    return isByValue(cut)
      ? `values of ${timeColumn} are no longer comparable`
      : `${timeColumn} is ${partition.native === null ? 'no longer' : 'not'} a time`
  }
  return { partition, condition, expected: parts.reduce((sum, one) => sum + expectedRows(one), 0n) }
}

/** Number of the partition's rows that are expected in the table. */
function expectedRows({ state, digest, removed, native }: ArchivedPartition): bigint {
  return state === 'DROPPED' || state === 'EXPIRED' || native !== null ? 0n : (digest?.rows ?? 0n) - removed.rows
}

async function effortOf(
  { source: { store, table, signal }, cut }: Periods,
  periods: readonly Period[],
): Promise<ScanCost> {
  const expected = periods.reduce((sum, one) => sum + one.expected, 0n)
  // Without a planner each period costs a scan of the table.
  if (store.offers.periods === undefined) return { by: 'scan', rows: table.rows * BigInt(periods.length) } as const
  // Values have no ranges to merge: many values are counted by one scan of the table.
  if (isByValue(cut) && periods.length > MOST_SPANS) return { by: 'scan', rows: table.rows }
  const spans = isByValue(cut)
    ? periods.map(({ condition }) => condition)
    : spansOf(periods.map(({ partition }) => partition)).flatMap((span) => cutCondition(store, table, cut, span) ?? [])
  const effort = await store.offers.periods.scanCost(table, spans, signal)
  return effort.by === 'index' && effort.rows === null ? { ...effort, rows: expected } : effort
}

type Span = Pick<ArchivedPartition, 'from' | 'to'>

/** Merges adjacent ranges; the input is sorted by lower bound. */
function spansOf(partitions: readonly Span[]): readonly Span[] {
  const spans: Span[] = []
  for (const { from, to } of partitions) {
    const last = spans.at(-1)
    if (last !== undefined && last.to !== null && last.to === from) spans.splice(-1, 1, { from: last.from, to })
    else spans.push({ from, to })
  }
  const [first, last] = [spans[0], spans.at(-1)]
  if (spans.length <= MOST_SPANS || first === undefined || last === undefined) return spans
  return [{ from: first.from, to: last.to }]
}

function tooManyText({ by, rows }: ScanCost, { cut: { timeColumn } }: Periods): string {
  const many = rows === null ? 'its row count is unknown' : `it has about ${rows} rows`
  const why =
    by === 'scan'
      ? `no index on ${timeColumn === '' ? 'the time' : timeColumn} finds them, and ${many}`
      : `they are about ${String(rows)} rows`
  return `${why}; sluice archive list --count counts them`
}

/** Row counts in the order of `periods`; null if the system cannot count. */
async function countsOf(
  { store, table, signal }: PeriodSource,
  periods: readonly Period[],
  { by }: ScanCost,
): Promise<readonly (bigint | null)[]> {
  const conditions = periods.map(({ condition }) => condition)
  if (store.offers.periods !== undefined) return store.offers.periods.counts(table, conditions, by, signal)
  await using view = await store.source(signal)
  const counts: (bigint | null)[] = []
  for (const condition of conditions) {
    const { rows, exact } = await view.extent(table, condition, true)
    counts.push(exact ? rows : null)
  }
  return counts
}
