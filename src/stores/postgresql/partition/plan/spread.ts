/**
 * Distribution of rows over time: from a scan or a sample of blocks. Periods with few rows are counted with an index,
 * if one exists.
 */
import type {
  Bucket,
  CountedRows,
  TableToPartition,
  Sampled,
  RowSpread,
  TimeKind,
  Years,
} from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { rowsByIndex, countByIndex } from './by-index.ts'

/** Blocks of 8 kB sampled from a larger table: 64 MB. */
const BLOCKS = 8192
/** A table of fewer blocks is read completely. */
const WHOLE = 2 * BLOCKS
/** Limits of queries with an index: number of periods, and number of rows of all periods together. */
const LOOKED_UP = 1000
const LOOKED_UP_ROWS = 1_000_000
/** An estimate with a larger relative error is replaced by a count with an index, if there is one. */
const MAX_ERROR = 0.1
/** Half width of the 95 % confidence interval, in standard deviations of the normal distribution. */
const DEVIATIONS = 1.96
const LAST_YEAR = 9999
const FIRST_EPOCH = -62_135_596_800n
const END_EPOCH = 253_402_300_800n

const ARRAYS: Readonly<Record<TimeKind, string>> = {
  date: 'date[]',
  timestamp: 'timestamp[]',
  timestamptz: 'timestamptz[]',
  'epoch-seconds': 'bigint[]',
  'epoch-milliseconds': 'bigint[]',
}

type Reading = { readonly from: string; readonly share: number; readonly sampled: Sampled }

/** Counts the rows of each year. A large table is sampled, unless `exact` is true. */
export async function yearsOf(session: CopySession, planned: TableToPartition, exact: boolean): Promise<Years> {
  const reading = await readingOf(session, planned, exact)
  const block = blockOf(reading)
  const rows = await session.ask(
    `SELECT year, pg_catalog.sum(n), pg_catalog.sum(n * n) FROM (SELECT ${yearOf(planned)} AS year, ${block} AS block, count(*)::numeric AS n FROM ${reading.from} GROUP BY 1, 2) AS counted GROUP BY year`,
  )
  const years = new Map<number, CountedRows>()
  let nulls = unseenBound(reading)
  let outside = nulls
  for (const [year, sum, squares] of rows) {
    const count = counted(sum, squares, reading)
    const number = Number(year)
    if (year === null) nulls = count
    else if (Number.isFinite(number) && number >= 1 && number <= 9999) years.set(number, count)
    else outside = { rows: outside.rows + count.rows, off: wider(outside.off, count.off) }
  }
  if (reading.sampled === null) return { years, nulls, outside, sampled: null }
  const sql = tableSql(planned.table.table)
  const by = quoteName(planned.column.name)
  // Add years whose rows the sample has missed.
  for (const year of await yearsByIndex(session, planned)) if (!years.has(year)) years.set(year, { rows: 1n, off: 0n })
  const poor = [...years].filter(([, count]) => isUnreliable(count)).toSorted(([, a], [, b]) => Number(a.rows - b.rows))
  for (const [year] of poor.slice(0, LOOKED_UP)) {
    const count = await countByIndex(session, sql, between(planned, ...yearBounds(planned.kind, year)))
    if (count === null) break
    years.set(year, count)
  }
  nulls = (await countByIndex(session, sql, `${by} IS NULL`)) ?? (planned.column.nullable ? nulls : NONE)
  const [low, high] = edges(planned, null, null)
  const before = await countByIndex(session, sql, `${by} < ${low}`)
  const behind = await countByIndex(session, sql, `${by} >= ${high}`)
  if (before !== null && behind !== null) outside = { rows: before.rows + behind.rows, off: null }
  return { years, nulls, outside, sampled: reading.sampled }
}

/** Years that have rows, in order; empty if no index of the column finds them. */
async function yearsByIndex(session: CopySession, planned: TableToPartition): Promise<readonly number[]> {
  const sql = tableSql(planned.table.table)
  const by = quoteName(planned.column.name)
  const years: number[] = []
  for (let from: string | null = null; years.length < LOOKED_UP;) {
    const next = `SELECT ${yearOf(planned)} FROM ONLY ${sql} WHERE ${between(planned, from, null)} ORDER BY ${by} LIMIT 1`
    const [row] = await rowsByIndex(session, next, 1)
    if (row === undefined) break
    years.push(Number(row[0]))
    from = yearBounds(planned.kind, Number(row[0]))[1]
    if (years.at(-1) === LAST_YEAR) break
  }
  return years
}

/** Rows and bytes between adjacent `bounds`. A large table is sampled, unless `exact` is true. */
export async function spreadOf(
  session: CopySession,
  planned: TableToPartition,
  bounds: readonly string[],
  exact: boolean,
): Promise<RowSpread> {
  const reading = await readingOf(session, planned, exact)
  const by = quoteName(planned.column.name)
  const array = `${literal(`{${bounds.map((bound) => `"${bound}"`).join(',')}}`)}::${ARRAYS[planned.kind]}`
  const cast = planned.kind.startsWith('epoch') ? '::bigint' : ''
  const rows = await session.ask(
    `SELECT place, pg_catalog.sum(n), pg_catalog.sum(n * n), pg_catalog.sum(bytes) FROM (
       SELECT pg_catalog.width_bucket(${by}${cast}, ${array}) AS place, ${blockOf(reading)} AS block, count(*)::numeric AS n, pg_catalog.sum(${rowBytes(planned)}) AS bytes
       FROM ${reading.from} GROUP BY 1, 2) AS counted WHERE place BETWEEN 1 AND ${bounds.length - 1} GROUP BY place`,
  )
  const found = new Map(rows.map((row) => [Number(row[0]), row]))
  const all = rows.reduce((sum, [, n, , bytes]) => ({ n: sum.n + Number(n), bytes: sum.bytes + Number(bytes) }), {
    n: 0,
    bytes: 0,
  })
  const usual = all.n === 0 ? 0 : all.bytes / all.n
  const counts = bounds.slice(1).map((_, at): CountedRows => {
    const [, sum, squares] = found.get(at + 1) ?? []
    return sum == null ? { rows: 0n, off: reading.sampled === null ? null : 0n } : counted(sum, squares, reading)
  })
  if (reading.sampled !== null) await replaceEstimates(counts, session, planned, bounds)
  const buckets = counts.map((count, at): Bucket => {
    const [, sum, , bytes] = found.get(at + 1) ?? []
    const each = Number(sum ?? 0) === 0 ? usual : Number(bytes) / Number(sum)
    return { ...count, bytes: BigInt(Math.round(Number(count.rows) * each)) }
  })
  return { buckets, sampled: reading.sampled }
}

/** Replaces unreliable estimates by counts from an index. The periods with the fewest rows are counted first. */
async function replaceEstimates(
  counts: CountedRows[],
  session: CopySession,
  planned: TableToPartition,
  bounds: readonly string[],
): Promise<void> {
  const poor = counts
    .map((count, at) => ({ at, count }))
    .filter(({ count }) => isUnreliable(count))
    .toSorted((a, b) => Number(a.count.rows - b.count.rows))
  let left = LOOKED_UP_ROWS
  for (const { at } of poor.slice(0, LOOKED_UP)) {
    const condition = between(planned, bounds[at] ?? '', bounds[at + 1] ?? '')
    const count = await countByIndex(session, tableSql(planned.table.table), condition, left)
    if (count === null) return
    counts[at] = count
    left -= Number(count.rows)
  }
}

/** True if an estimate is unreliable, because no or few sampled blocks have rows of the period. */
function isUnreliable({ rows, off }: CountedRows): boolean {
  return off !== null && (rows < 2n || Number(off) > Number(rows) * MAX_ERROR)
}

/** SQL expression: estimated bytes of a row on disk, with its TOAST values, which are not read. */
export function rowBytes({ table }: Pick<TableToPartition, 'table'>): string {
  const columns = table.columns.map(({ name }) => `coalesce(pg_catalog.pg_column_size(${quoteName(name)}), 0)`)
  // 24 bytes for the header, padding to a multiple of 8, and 4 bytes for the pointer to the row.
  return `((${['24', ...columns].join(' + ')} + 7) / 8 * 8 + 4)`
}

const NONE: CountedRows = { rows: 0n, off: null }
/**
 * Maximum probability that a group of rows is larger than the bound that `unseenBound` returns, if the sample found no
 * row of the group.
 */
const CHANCE = 0.05

/**
 * Upper bound for the size of a group if the sample found no row of it. Assumes one row of the group per block.
 */
function unseenBound({ share, sampled }: Reading): CountedRows {
  return sampled === null ? NONE : { rows: 0n, off: BigInt(Math.ceil(Math.log(CHANCE) / Math.log1p(-share))) }
}

async function readingOf(session: CopySession, { table }: TableToPartition, exact: boolean): Promise<Reading> {
  const sql = tableSql(table.table)
  const [[blocks] = []] = await session.ask(
    `SELECT pg_catalog.pg_relation_size(${literal(sql)}::pg_catalog.regclass) / pg_catalog.current_setting('block_size')::bigint`,
  )
  const of = BigInt(blocks ?? 0)
  if (exact || of <= WHOLE) return { from: `ONLY ${sql}`, share: 1, sampled: null }
  const percent = ((BLOCKS / Number(of)) * 100).toPrecision(6)
  // REPEATABLE selects the same blocks each time, so that two inspections give the same result.
  const from = `ONLY ${sql} TABLESAMPLE SYSTEM (${percent}) REPEATABLE (0)`
  return { from, share: Number(percent) / 100, sampled: { blocks: BigInt(BLOCKS), of } }
}

function blockOf({ sampled }: Reading): string {
  return sampled === null ? "''" : "pg_catalog.split_part(ctid::text, ',', 1)"
}

/** Estimated number of rows with its error (Horvitz and Thompson); the blocks were sampled independently. */
function counted(
  sum: string | null | undefined,
  squares: string | null | undefined,
  { share, sampled }: Reading,
): CountedRows {
  if (sampled === null) return { rows: BigInt(sum ?? 0), off: null }
  const rows = BigInt(Math.round(Number(sum) / share))
  const off = DEVIATIONS * Math.sqrt((Number(squares) * (1 - share)) / share ** 2)
  return { rows, off: BigInt(Math.ceil(off)) }
}

function wider(a: bigint | null, b: bigint | null): bigint | null {
  return a === null ? b : b === null ? a : a + b
}

function yearBounds(kind: TimeKind, year: number): readonly [string, string] {
  const begin = (of: number): string => {
    const day = `${String(of).padStart(4, '0')}-01-01`
    if (kind === 'date') return day
    if (kind === 'timestamp' || kind === 'timestamptz') return `${day} 00:00:00${kind === 'timestamptz' ? '+00' : ''}`
    // Not `Date.UTC`: it reads the year 99 as 1999.
    const instant = new Date(0).setUTCFullYear(of, 0, 1)
    return String(kind === 'epoch-seconds' ? instant / 1000 : instant)
  }
  return [begin(year), begin(year + 1)]
}

function yearOf({ column, kind }: TableToPartition): string {
  const by = quoteName(column.name)
  const seconds = kind === 'epoch-milliseconds' ? `${by} / 1000` : by
  switch (kind) {
    case 'date':
    case 'timestamp':
      return `extract(year FROM ${by})`
    case 'timestamptz':
      return `extract(year FROM ${by} AT TIME ZONE 'UTC')`
    default:
      return `CASE WHEN ${between({ column, kind }, null, null)} THEN extract(year FROM pg_catalog.to_timestamp(${seconds}) AT TIME ZONE 'UTC') WHEN ${by} IS NULL THEN NULL ELSE -1 END`
  }
}

/**
 * SQL condition: the column is in the range. `from` null is the start of the year 1, `to` null the end of the year
 * 9999.
 */
function between(planned: Pick<TableToPartition, 'column' | 'kind'>, from: string | null, to: string | null): string {
  const by = quoteName(planned.column.name)
  const [low, high] = edges(planned, from, to)
  return `${by} >= ${low} AND ${by} < ${high}`
}

function edges(
  { kind }: Pick<TableToPartition, 'kind'>,
  from: string | null,
  to: string | null,
): readonly [low: string, high: string] {
  const factor = kind === 'epoch-milliseconds' ? 1000n : 1n
  if (kind === 'epoch-seconds' || kind === 'epoch-milliseconds') {
    return [from ?? String(FIRST_EPOCH * factor), to ?? String(END_EPOCH * factor)]
  }
  const zone = kind === 'timestamptz' ? '+00' : ''
  const clock = kind === 'date' ? '' : ` 00:00:00${zone}`
  return [`${literal(from ?? `0001-01-01${clock}`)}::${kind}`, `${literal(to ?? `10000-01-01${clock}`)}::${kind}`]
}
