/**
 * What a store offers to those who keep the partitions of a table: how it stands, and new ones beside it while others write. What has to be made, and when, its
 * caller knows; how to make it so that nobody waits, the store.
 */
import type { Column, TableName } from '../copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

/** Bounds as the system prints values of the column: the first is in the partition, the second is not. Null is open. */
export type Span = { readonly from: string | null; readonly to: string | null }

/** A partition as the system has it now. */
export type RangePartition = Span & {
  /** Of systems whose partitions are no tables the name alone. */
  readonly name: TableName
  /** The partition's own number, that another one under its name does not have; its name in systems without such numbers. */
  readonly identity: string
  /** It takes whatever no other takes: it has no bounds, or in systems without gaps no upper one. */
  readonly isDefault: boolean
  /** By the statistics of the system; null where it has none. */
  readonly rows: bigint | null
  readonly bytes: bigint | null
  /** What it is beside a plain partition, in words: partitioned itself, a foreign table, about to leave. */
  readonly note?: string
}

/** A table that is partitioned by ranges of one column, its partitions by their lower bounds, and the default partition last. */
export type RangedTable = {
  readonly table: TableName
  /** Tells it from another table of its name. */
  readonly identity: string
  readonly column: Column
  readonly partitions: readonly RangePartition[]
  /** What else makes partitions of it, in words, such as an extension that was told to. */
  readonly keptBy?: string
  /** What a run that did not come to its end has left in it, in words. The next `make` ends or removes it. */
  readonly leftOver?: string
}

/** Rows outside of every partition: in the default one. */
export type StrayRows = Span & { readonly rows: bigint }

/** A partition that is to be. */
export type ComingPartition = {
  readonly name: TableName
  readonly from: string
  readonly to: string
}

/** `logging`: changes of the default partition are noted from now on. `copying`: its rows go to where they belong. `following`: what changed meanwhile. */
export type MakeStep = 'making' | 'logging' | 'copying' | 'following' | 'switching'

export type MakeRequest = {
  readonly table: RangedTable
  /** By their lower bounds; no two of them overlap, nor do they overlap a partition of `table`. */
  readonly partitions: readonly ComingPartition[]
  /** Most that a statement of ours waits for a lock, and whoever comes behind it for that statement, ms. */
  readonly patienceMs: number
  /** After so long without the locks that it needs it gives up, ms. */
  readonly budgetMs: number
  readonly signal: AbortSignal
  /** Once it fires no step is begun and nothing is waited for any more: what is not attached by then is removed. */
  readonly stop?: AbortSignal
  readonly onStep?: (step: MakeStep, rows: bigint, total: bigint | null) => void
}

/** Something of a neighbour that a new partition did not get. */
export type NotGiven = {
  readonly partition: string
  readonly what: string
  readonly why: string
  /** What to do about it; absent where somebody with more rights could give it. */
  readonly hint?: string
}

export type Made = {
  /** Those that this call made; without those that somebody else made meanwhile. */
  readonly made: readonly (ComingPartition & { readonly moved: bigint })[]
  /** The same bounds, by another hand, in the meantime. */
  readonly foundMade: readonly ComingPartition[]
  /** Longest that a statement of ours waited for a lock or held one that keeps writers out, ms. */
  readonly longestMs: number
  /** How often it let go and tried again, because others held what it needed. */
  readonly tries: number
  /** Of rows that were moved: rows and sum of the default partition before, equal to those of the new tables; null where none were moved. */
  readonly proved: { readonly rows: bigint } | null
  readonly notGiven: readonly NotGiven[]
  /** What else somebody may want to know of the new partitions, in words. */
  readonly notes?: readonly string[]
}

/** Partitions of one system, and how they come to be. */
export interface MaintenanceStore {
  /**
   * @param pattern name of one table, with its schema or without
   * @param sizes whether bytes are wanted, which takes longer
   * @returns null for a table that is not partitioned
   * @throws SluiceError NO_SUCH_TABLE; UNSUPPORTED_TYPE where it is partitioned in another way than by ranges of one column
   */
  look(table: TableName, sizes: boolean, signal: AbortSignal): Promise<RangedTable | null>
  /** The zone that the database takes for local, as an IANA name; null where it says none. */
  zone(signal: AbortSignal): Promise<string | null>
  /** Counts the rows of every partition, in the order of `table`, as of one moment. */
  count(table: RangedTable, signal: AbortSignal): Promise<readonly bigint[]>
  /**
   * Counts rows of the default partition, as of one moment.
   * @returns the rows of each span, in that order, and all that lie in none of them, with the smallest and largest value
   */
  stray(
    table: RangedTable,
    spans: readonly Span[],
    signal: AbortSignal,
  ): Promise<{ readonly spans: readonly bigint[]; readonly others: StrayRows }>
  /**
   * Looks whether `make` would be refused as the table stands, and changes nothing.
   * @returns the TABLE_REFUSED that it would end with, or null
   */
  foresee(request: Pick<MakeRequest, 'table' | 'partitions' | 'signal'>): Promise<SluiceError | null>
  /**
   * Makes partitions, each like its newest neighbour, and moves what of them fell into the default partition. Every row is visible once through the table at
   * every moment; killed anywhere, the next call comes to the same end.
   * @returns what was made until `stop` fired
   * @throws SluiceError TARGET_BUSY where others keep what it needs for longer than `budgetMs`; TABLE_REFUSED where rows cannot be moved, with what to do;
   * TARGET_DENIED
   */
  make(request: MakeRequest): Promise<Made>
}

/** Both ways of ending, for what waits. */
export function endOf({ signal, stop }: Pick<MakeRequest, 'signal' | 'stop'>): AbortSignal {
  return stop === undefined ? signal : AbortSignal.any([signal, stop])
}

/** Whether an error is that of somebody who asked to stop, and did not ask to drop everything. */
export function isStop(error: unknown, { signal, stop }: Pick<MakeRequest, 'signal' | 'stop'>): boolean {
  return (
    stop?.aborted === true &&
    !signal.aborted &&
    (error === stop.reason || (error instanceof SluiceError && error.kind === 'stopped'))
  )
}

/** Of a call that was stopped before it made anything. */
export const NOTHING_MADE: Made = { made: [], foundMade: [], longestMs: 0, tries: 0, proved: null, notGiven: [] }

/** @returns what was refused by name; null where nothing was. @throws whatever else the look threw */
export async function refusalOf(look: () => Promise<void>): Promise<SluiceError | null> {
  try {
    await look()
    return null
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'TABLE_REFUSED') return error
    throw error
  }
}
