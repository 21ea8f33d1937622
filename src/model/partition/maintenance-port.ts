/**
 * What a store offers for maintaining the partitions of a table: their state, and the creation of new ones while the
 * table is in use. The caller decides what to create and when; the store does it without blocking other sessions.
 */
import { tableText, type Column, type TableName } from '../copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

/** Bounds as the system prints values of the column: lower inclusive, upper exclusive. Null is open. */
export type PrintedBounds = { readonly from: string | null; readonly to: string | null }

/** A partition as the system has it now. */
export type RangePartition = PrintedBounds & {
  /** Name of the partition; without a schema in systems whose partitions are not tables. */
  readonly name: TableName
  /** OID of the partition, which a replacement does not have; its name in systems whose partitions have no id. */
  readonly identity: string
  /** True for the partition without bounds; in systems that allow no gaps, for the one without an upper bound. */
  readonly isDefault: boolean
  /** Estimated number of rows, from the statistics of the system; null if it has none. */
  readonly rows: bigint | null
  readonly bytes: bigint | null
  /** A special property, as text: partitioned itself, a foreign table, being detached. */
  readonly note?: string
}

/** A table partitioned by ranges of one column. Its partitions are sorted by lower bound, the default one is last. */
export type RangedTable = {
  readonly table: TableName
  /** Differs for another table of the same name. */
  readonly identity: string
  readonly column: Column
  readonly partitions: readonly RangePartition[]
  /** Another tool that creates its partitions, such as an extension, as text. */
  readonly keptBy?: string
  /** Leftovers of an interrupted run, as text. The next `make` completes or removes them. */
  readonly leftOver?: string
}

/** Rows of the default partition. */
export type DefaultRows = PrintedBounds & { readonly rows: bigint }

/** A partition to create. */
export type NewPartition = {
  readonly name: TableName
  readonly from: string
  readonly to: string
}

/**
 * `logging`: changes of the default partition are recorded. `copying`: its rows are copied. `following`: recorded
 * changes are applied.
 */
export type MakeStep = 'making' | 'logging' | 'copying' | 'following' | 'switching'

export type LockLimits = {
  /** Lock timeout of one try, ms; all other sessions wait behind it. */
  readonly lockTimeoutMs: number
  /** Retry limit: longest total time of the tries that fail, ms. */
  readonly retryLimitMs: number
  readonly signal: AbortSignal
}

export type MakeRequest = LockLimits & {
  readonly table: RangedTable
  /** Partitions to create, sorted by lower bound, without overlaps with each other or with partitions of `table`. */
  readonly partitions: readonly NewPartition[]
  /** After it fires, no step begins and no wait continues: new tables that are not attached by then are removed. */
  readonly stop?: AbortSignal
  readonly onStep?: (step: MakeStep, rows: bigint, total: bigint | null) => void
}

/** A property of a neighbour that a new partition did not get. */
export type MissingProperty = {
  readonly partition: string
  readonly what: string
  readonly why: string
  /** What to do about it; absent if a user with more rights could add it. */
  readonly hint?: string
}

export type Made = {
  /** Partitions that this call created, without partitions that other programs created meanwhile. */
  readonly made: readonly (NewPartition & { readonly moved: bigint })[]
  /** Partitions with the same bounds that another program created meanwhile. */
  readonly foundMade: readonly NewPartition[]
  /** Longest time that a statement waited for a lock, or held one that blocks writers, ms. */
  readonly longestMs: number
  /** Number of retries because other sessions held a lock. */
  readonly tries: number
  /** Moved rows: count and checksum are equal in the old default partition and the new tables. Null if none moved. */
  readonly proved: { readonly rows: bigint } | null
  readonly notGiven: readonly MissingProperty[]
  /** Further notes on the new partitions, as text. */
  readonly notes?: readonly string[]
}

/** Partitions of one system, and their creation. */
export interface MaintenanceStore {
  /**
   * @param table name of one table, with its schema or without
   * @param sizes true to read sizes, which takes longer
   * @returns null for a table that is not partitioned
   * @throws SluiceError NO_SUCH_TABLE; UNSUPPORTED_TYPE if it is not partitioned by ranges of one column
   */
  inspect(table: TableName, sizes: boolean, signal: AbortSignal): Promise<RangedTable | null>
  /** The local time zone of the database, as an IANA name; null if unknown. */
  zone(signal: AbortSignal): Promise<string | null>
  /** Counts the rows of every partition, in the order of `table`, in one snapshot. */
  count(table: RangedTable, signal: AbortSignal): Promise<readonly bigint[]>
  /**
   * Counts rows of the default partition, in one snapshot.
   * @returns the number of rows within each of `spans`, in order; of all other rows also the smallest and largest value
   */
  countDefault(
    table: RangedTable,
    spans: readonly PrintedBounds[],
    signal: AbortSignal,
  ): Promise<{ readonly spans: readonly bigint[]; readonly others: DefaultRows }>
  /**
   * Tests whether `make` would be refused now; read-only.
   * @returns the TABLE_REFUSED that it would throw, or null
   */
  makeRefusal(request: Pick<MakeRequest, 'table' | 'partitions' | 'signal'>): Promise<SluiceError | null>
  /**
   * Creates partitions, each like its newest neighbour, and moves their rows out of the default partition. At any time,
   * every row is visible exactly once through the table; after a crash, the next call completes the work.
   * @returns what was created until `stop` fired
   * @throws SluiceError TARGET_BUSY if other sessions keep a lock beyond `retryLimitMs`; TABLE_REFUSED, with a hint,
   * if rows cannot be moved; TARGET_DENIED
   */
  make(request: MakeRequest): Promise<Made>
}

/** Aborts on either signal. */
export function eitherSignal({ signal, stop }: Pick<MakeRequest, 'signal' | 'stop'>): AbortSignal {
  return stop === undefined ? signal : AbortSignal.any([signal, stop])
}

/** True if an error results from a requested stop, but not from an abort. */
export function isStop(error: unknown, { signal, stop }: Pick<MakeRequest, 'signal' | 'stop'>): boolean {
  return (
    stop?.aborted === true &&
    !signal.aborted &&
    (error === stop.reason || (error instanceof SluiceError && error.kind === 'stopped'))
  )
}

/** Result of a call that was stopped before it created anything. */
export const NOTHING_MADE: Made = { made: [], foundMade: [], longestMs: 0, tries: 0, proved: null, notGiven: [] }

/** @returns the TABLE_REFUSED of the call; null if it succeeds. @throws any other error of the call */
export async function tableRefusal(call: () => Promise<void>): Promise<SluiceError | null> {
  try {
    await call()
    return null
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'TABLE_REFUSED') return error
    throw error
  }
}

/** @param cause error of the last try: a partition had another name or other bounds than just before */
export function keepsChanging({ table }: Pick<RangedTable, 'table'>, cause: unknown): SluiceError {
  const where = tableText(table)
  return new SluiceError('TARGET_BUSY', `other sessions change the partitions of ${where} again and again`, {
    where,
    ...(cause instanceof Error ? { reason: cause.message } : {}),
    hint: 'run the same command again when no other session alters or renames its partitions',
    retryable: true,
    cause,
  })
}
