/** The two sides of a comparison: the same table in two stores, each queried by its own names and in its own order. */
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { KeyBound, Range } from '../../../model/copy/range.ts'
import { keyPart, rowKeyOf, type RowKey } from '../../../model/copy/row-key.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import type { BatchSize, RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import { hasLossyKey } from '../chunk/exact-keys.ts'
import { comparedColumns, keyPositions, plannedReadColumns, keyedTargetTable, writeColumns } from '../table/context.ts'
import { viewDigest } from '../chunk/digest.ts'
import type { KeyPass } from './compared-keys.ts'
import type { Timed, TimeOptions } from './times.ts'

export type DiffSides = {
  readonly plan: TablePlan
  readonly source: SourceView
  readonly target: SourceView
  readonly signal: AbortSignal
  /** Compare only target rows that meet this condition, in the target's SQL. */
  readonly targetWhere?: string
  /** Set to compare expiry times too, where both sides keep them. */
  readonly lifetimes?: true
  /** Keys of the source already compared; absent if different keys stay different in the target. */
  readonly met?: KeyPass
}

/** Kinds of values whose canonical text finds the same key in every source. */
const EXACT: ReadonlySet<ColumnType['kind']> = new Set([
  'bool',
  'int',
  'float',
  'text',
  'bytes',
  'uuid',
  'date',
  'time',
  'timestamp',
  'native',
])

/**
 * True if the target's form of a key finds the row in the source. Cassandra finds a partition by the bytes of its key,
 * and 1.0 and 1.00 have different bytes. A key that lost precision finds nothing.
 */
export function findsByKey(plan: TablePlan): boolean {
  const { ring } = plan.source
  const types = keyTypes(plan).slice(0, ring?.columns)
  return !hasLossyKey(plan) && (ring === undefined || types.every((type) => type !== undefined && EXACT.has(type.kind)))
}

const BATCH: BatchSize = { rows: 5000, bytes: 8 * 1024 * 1024 }

/** A key range of the source in the target's spelling; tokens are the same numbers on both sides. */
export function targetRange({ plan }: Pick<DiffSides, 'plan'>, range: Range): Range {
  if (range.by === 'key' && plan.source.ring !== undefined) return range
  const types = keyTypes(plan)
  const bound = (texts: KeyBound): KeyBound => texts.map((text, i) => canonical(types[i], text))
  if (range.by === 'keys') {
    return {
      by: 'keys',
      keys: range.keys.map((key) => key.map((text, i) => (text === null ? null : canonical(types[i], text)))),
    }
  }
  if (range.by !== 'key') return range
  return {
    by: 'key',
    after: range.after === null ? null : bound(range.after),
    through: range.through === null ? null : bound(range.through),
  }
}

export function sourceRequest({ plan }: Pick<DiffSides, 'plan'>, range: Range): RowRequest {
  const where = plan.where ?? null
  const columns = plannedReadColumns({ columns: comparedColumns(plan) })
  return { table: plan.source, columns, range, where, ordered: false, ...sharedOnly(plan) }
}

/**
 * Request for target rows: all, or those that `targetWhere` selects. The user's `--where` is SQL of the source only.
 */
export function targetRequest(
  { plan, targetWhere }: Pick<DiffSides, 'plan' | 'targetWhere'>,
  range: Range,
): RowRequest {
  const columns = writeColumns({ columns: comparedColumns(plan) })
  const asked = targetRange({ plan }, range)
  const request = {
    table: keyedTargetTable(plan),
    columns,
    range: asked,
    where: targetWhere ?? null,
    ordered: false,
    ...sharedOnly(plan),
  }
  return { ...request, asStored: true }
}

/**
 * Requests for the rows of both sides. Read neither before both are made: a key of the source may have no form in the
 * target, and a read that nothing waits for would end the program with its error.
 * @throws SluiceError VALUE_REFUSED
 */
export function requestsOf(
  sides: Pick<DiffSides, 'plan' | 'targetWhere'>,
  range: Range,
): readonly [source: RowRequest, target: RowRequest] {
  return [sourceRequest(sides, range), targetRequest(sides, range)]
}

/** Request option to return partitions with static values only, too; empty unless both sides are Cassandra. */
function sharedOnly(plan: TablePlan): { readonly sharedOnly?: true } {
  return areStamped(plan) ? { sharedOnly: true } : {}
}

export async function digests(sides: DiffSides, range: Range): Promise<readonly [Digest, Digest]> {
  const { source, target, signal } = sides
  const [here, there] = requestsOf(sides, range)
  return Promise.all([viewDigest(source, here, signal), viewDigest(target, there, signal)])
}

/** Rows of a range by key. */
export async function rowsByKey(
  view: SourceView,
  request: RowRequest,
  plan: TablePlan,
  signal: AbortSignal,
): Promise<KeyedRows> {
  const rows = new KeyedRows(plan)
  for await (const batch of view.read(request, BATCH, signal)) rows.take(batch.rows)
  return rows
}

/** Rows by key. The map has the last row of each key; `others` has earlier rows with the same key (no unique index). */
export class ByKey<T> extends Map<string, T> {
  readonly #others = new Map<string, T[]>()

  add(key: string, row: T): void {
    const other = this.get(key)
    const others = this.#others.get(key)
    if (others !== undefined && other !== undefined) others.push(other)
    else if (other !== undefined) this.#others.set(key, [other])
    this.set(key, row)
  }

  remove(key: string): void {
    this.delete(key)
    this.#others.delete(key)
  }

  /** All rows of a key. */
  all(key: string): readonly T[] {
    const last = this.get(key)
    return last === undefined ? [] : [...(this.#others.get(key) ?? []), last]
  }

  every(): readonly T[] {
    return [...this.values(), ...this.others]
  }

  /** Number of rows read. */
  count(): bigint {
    return BigInt(this.size + this.others.length)
  }

  /** Earlier rows of keys that several rows have. */
  get others(): readonly T[] {
    return [...this.#others.values()].flat()
  }
}

export class KeyedRows extends ByKey<Row> {
  readonly #places: readonly number[]

  constructor(plan: TablePlan) {
    super()
    this.#places = keyPositions(plan)
  }

  take(rows: readonly Row[]): void {
    for (const row of rows) this.add(keyTextOf(row, this.#places), row)
  }
}

/** Removes rows with other keys than these: under a collation, a query may also return rows with other keys. */
export function keepKeys<T>(rows: ByKey<T>, keys: ReadonlyMap<string, unknown>): void {
  for (const key of rows.keys()) if (!keys.has(key)) rows.remove(key)
}

/** True if both sides report write times. */
export function areStamped({ source, target }: TablePlan): boolean {
  return source.ring !== undefined && target.ring !== undefined
}

/** Option to compare expiry times; empty if a side has none, or if the run sets its own TTLs. */
export function comparesLifetimes(plan: TablePlan, options: TimeOptions = {}): { readonly lifetimes?: true } {
  const isOwn = options.ttl === undefined && options.dropStamps !== true && options.livesOf === undefined
  return isOwn && areStamped(plan) ? { lifetimes: true } : {}
}

/** Rows of a range by key; if `wanted`, with write times and TTLs, provided that both sides keep them. */
export async function timedByKey(
  view: SourceView,
  request: RowRequest,
  plan: TablePlan,
  signal: AbortSignal,
  wanted = true,
): Promise<ByKey<Timed>> {
  const positions = keyPositions(plan)
  const rows = new ByKey<Timed>()
  const stamped = wanted && areStamped(plan) ? { ...request, stamps: true as const } : request
  for await (const batch of view.read(stamped, BATCH, signal)) {
    for (const [i, row] of batch.rows.entries())
      rows.add(keyTextOf(row, positions), { row, stamp: batch.stamps?.[i] ?? null })
  }
  return rows
}

/** Rows with these keys, by the JSON of their keys. Includes rows with other keys that this side treats as equal. */
export async function byBound(
  sides: DiffSides,
  side: 'source' | 'target',
  keys: readonly RowKey[],
): Promise<ReadonlyMap<string, Timed>> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys } as const
  const request = side === 'source' ? sourceRequest(sides, range) : targetRequest(sides, range)
  // A removal needs the write times of the target also if the source has none.
  const stamps = side === 'target' && plan.target.ring !== undefined ? { stamps: true as const } : {}
  const rows = await timedByKey(sides[side], { ...request, ...stamps }, plan, signal)
  return new Map([...rows.values()].map((one) => [JSON.stringify(rowBound(plan, one.row)), one]))
}

/** Key of a row, with its values in the form of range bounds. */
export function rowBound(plan: TablePlan, row: Row): RowKey {
  return rowKeyOf(row, keyPositions(plan))
}

function keyTypes(plan: TablePlan): readonly (ColumnType | undefined)[] {
  return plan.source.key.map((name) => plan.columns.find(({ from }) => from === name)?.as)
}

function canonical(type: ColumnType | undefined, text: string): string {
  // Older versions stored a missing value as the empty text; only texts can be empty.
  return type === undefined || text === '' ? text : (keyPart(normalizer(type)(text)) ?? '')
}
