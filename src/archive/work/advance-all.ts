/** Moves partitions through their steps with several workers; an error in one partition does not stop the others. */
import { advancePartition, nextStep, type AdvanceOptions } from '../steps/advance.ts'
import { partitionCondition, fitNow, type AdvanceEvent, type ArchiveContext } from '../steps/context.ts'
import type { PartitionClaim } from '../ledger/partition-facts.ts'
import { otherParts } from '../ledger/parts.ts'
import { readArchive, readDetached, readPartition, readParts, type ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveState } from '../../model/archive/state.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { isDiskExhausted } from '../../shared/guide-errors.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { whilePaused } from '../../engine/run/pause.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { keyDifferences } from '../plan/late-rows.ts'
import { periodRows } from '../plan/period-rows.ts'
import { keepLeases } from './owner.ts'
import { nativeNow } from '../plan/plan.ts'
import type { NeighbourParts } from '../steps/doubled-rows.ts'
import { partitionError } from '../steps/refusals.ts'
import { fileColumns } from '../types/fit.ts'

/** The result for one partition. */
export type PartitionOutcome = {
  readonly label: string
  readonly before: Pick<ArchivedPartition, 'state' | 'retracted'>
  readonly after: ArchiveState
  readonly partition: ArchivedPartition
  readonly error: SluiceError | null
}

export type AdvancePartition = (
  held: PartitionClaim,
  reload: () => Promise<ArchivedPartition>,
  context: ArchiveContext<AdvanceEvent>,
) => Promise<void>

/** One or more workers. Each processes its own partition; they share the archive. */
export type ArchiveWorkers = readonly ArchiveContext<AdvanceEvent>[]

/** Archives partitions. @returns an outcome for each partition, until the run was stopped */
export async function advanceAll(
  contexts: ArchiveWorkers,
  database: LedgerDatabase,
  labels: readonly string[],
  options: (label: string) => AdvanceOptions,
  run: Run,
): Promise<readonly PartitionOutcome[]> {
  const work: AdvancePartition = async (held, reload, context) => {
    const { store, table, interrupt } = context
    const native = async () => nativeNow(store, table, await reload(), interrupt.abort)
    await advancePartition(context, held, options(held.label), {
      reload,
      native,
      periodParts: parallelContext(context, database),
    })
  }
  const isDone = (partition: ArchivedPartition): boolean => nextStep(partition, options(partition.label)) === null
  return eachPartition(contexts, database, labels, run, { work, isDone })
}

/** Access to the other partitions of a table, to compare a partition with them. */
function parallelContext(context: ArchiveContext, database: LedgerDatabase): NeighbourParts {
  const { store, archived, interrupt, reader } = context
  return {
    parts: ({ period }) => readParts(database, archived.table, period),
    detached: () => readDetached(database, archived.table),
    shrunken: async () => {
      const partitions = await readDetached(database, archived.table)
      if (partitions.length === 0) return []
      const source = { store, table: context.table, signal: interrupt.abort }
      const inspections = await periodRows(source, { ...archived, partitions }, 'cheap')
      return partitions.filter(({ label }) => {
        const state = inspections.get(label)
        return state !== undefined && 'surplus' in state && state.surplus < 0n
      })
    },
    doubled: async (partition, others, native) => {
      const table = native?.table ?? context.table
      const where = native === null ? partitionCondition(context, partition) : null
      const source = { store, table: { ...table, key: context.table.key }, signal: interrupt.abort }
      // A detached table keeps its columns, so read them as the files of the partition have them.
      const columns = partition.away ? fileColumns(fitNow(context, partition).shared) : archived.stored.columns
      const record = { ...archived, stored: { ...archived.stored, columns } }
      return (await keyDifferences(source, record, others, reader, { values: false, where }))?.both ?? null
    },
  }
}

/** @property work processes a partition @property isDone true if nothing is left to do */
export type PartitionWork = {
  readonly work: AdvancePartition
  readonly isDone: (partition: ArchivedPartition) => boolean
}

/**
 * Claims each partition while a worker processes it. A partition that another program has claimed is tried again at the
 * end.
 * @returns an outcome for each partition, until the run was stopped; LEDGER_BUSY for partitions that are not finished
 * and that other programs still process
 */
export async function eachPartition(
  contexts: ArchiveWorkers,
  database: LedgerDatabase,
  labels: readonly string[],
  run: Run,
  partitionWork: PartitionWork,
): Promise<readonly PartitionOutcome[]> {
  const [context] = contexts
  if (context === undefined) return []
  const timer = keepLeases(context.ledger)
  try {
    const queue = await byPeriods(labels, database, context)
    const round = new PartitionQueue({ context, database, run, partitionWork, queue })
    // Each worker continues as far as it can: an error is thrown after all have ended.
    const ends = await Promise.allSettled(contexts.map((worker) => round.work(worker)))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    await round.end()
    return round.outcomes
  } finally {
    clearInterval(timer)
  }
}

type QueueParts = {
  readonly context: ArchiveContext<AdvanceEvent>
  readonly database: LedgerDatabase
  readonly run: Run
  readonly partitionWork: PartitionWork
  /** Labels by period; a label is removed when its partition is begun. */
  readonly queue: string[][]
}

/** Partitions of a table that workers take one by one, and their outcomes. */
class PartitionQueue {
  readonly outcomes: PartitionOutcome[] = []
  readonly #parts: QueueParts
  /** Partitions that other programs have claimed. */
  readonly #others: string[] = []
  /** True if the disk is full: then no further partition is started. */
  #isFull = false
  /** Number of unprocessed partitions in periods that a worker had begun. */
  #left = 0

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  /** Runs one worker until nothing is left, the run is stopped or the disk is full. */
  async work(worker: ArchiveContext<AdvanceEvent>): Promise<void> {
    for (let parts = this.#parts.queue.shift(); parts !== undefined; parts = this.#next(this.#parts.queue)) {
      for (let label = parts.shift(); label !== undefined; label = this.#next(parts)) {
        const done = await this.#try(label, worker)
        if (done === null) return
        if (done) continue
        this.#others.push(label)
        const holder = holderText(await this.#now(label))
        this.#say('note', `${label}: ${holder} works on it; it is checked again at the end`)
      }
      this.#left += parts.length
    }
  }

  /** Tries partitions of other programs once more, unless the run was stopped or the disk is full. */
  async end(): Promise<void> {
    if (this.#isFull) {
      const left = this.#left + this.#parts.queue.flat().length + this.#others.length
      if (left > 0) this.#say('warn', `the disk is full: ${left} more partitions were not started`)
      return
    }
    if (this.#parts.run.interrupt.stop.aborted) return
    for (const label of this.#others) {
      const done = await this.#try(label, this.#parts.context)
      if (done === null) return
      if (done) continue
      const partition = await this.#now(label)
      const error = this.#parts.partitionWork.isDone(partition) ? null : busyError(this.#parts.context, partition)
      // Work of another program is not counted for this run.
      this.outcomes.push({ label, before: partition, after: partition.state, partition, error })
      if (error === null) this.#say('note', `${label}: another program has already done the requested step`)
      else this.#say('warn', `${label}: ${holderText(partition)} still works on it`)
    }
  }

  /** @returns false if another program has claimed the partition or its period; null if the run was stopped */
  async #try(label: string, worker: ArchiveContext<AdvanceEvent>): Promise<boolean | null> {
    await whilePaused(this.#parts.run)
    if (this.#parts.run.interrupt.stop.aborted) return null
    const { ledger, emit, name } = this.#parts.context
    const reload = () => this.#now(label)
    const before = await reload()
    let error: SluiceError | null = null
    let held: PartitionClaim | null = null
    try {
      held = await ledger.claim(label, before.holder)
      if (held === null || !(await isPeriodFree(this.#parts.context, this.#parts.database, before))) return false
      await worker.refuseFollowed()
      await this.#parts.partitionWork.work(held, reload, worker)
    } catch (thrown) {
      error = asSluiceError(thrown)
    } finally {
      // If the database is unavailable, the lease expires.
      if (held !== null) await ledger.release(held).catch(() => undefined)
    }
    if (error?.kind === 'stopped') return null
    const partition = error === null ? await reload() : await reload().catch(() => before)
    this.outcomes.push({ label, before, after: partition.state, partition, error })
    if (error === null) return true
    this.#isFull ||= isDiskExhausted(error)
    emit({ type: 'archive.state', table: name, partition: label, state: partition.state, ms: 0, error: error.info() })
    return true
  }

  #next<T>(queue: T[]): T | undefined {
    return this.#isFull ? undefined : queue.shift()
  }

  #now(label: string): Promise<ArchivedPartition> {
    return partitionNow(this.#parts.database, this.#parts.context, label)
  }

  #say(level: 'note' | 'warn', message: string): void {
    const { emit, name } = this.#parts.context
    emit({ type: 'log', level, table: name, message })
  }
}

/** Labels by period: parts of one period are processed one after the other. */
async function byPeriods(
  labels: readonly string[],
  database: LedgerDatabase,
  { archived }: ArchiveContext,
): Promise<string[][]> {
  const known = (await readArchive(database, archived.table))?.partitions ?? []
  const periodOf = new Map(known.map(({ label, period }) => [label, period]))
  const periods = new Map<string, string[]>()
  for (const label of labels) {
    const period = periodOf.get(label) ?? label
    periods.set(period, [...(periods.get(period) ?? []), label])
  }
  return [...periods.values()]
}

/**
 * True if no other program works on another part of the period. Call it after claiming the part itself, so that at
 * least one of two programs detects the other. An expired lease of another part is claimed and released, so that its
 * former owner cannot change anything any more.
 */
async function isPeriodFree(
  { archived, ledger }: ArchiveContext,
  database: LedgerDatabase,
  partition: ArchivedPartition,
): Promise<boolean> {
  for (const other of otherParts(partition, await readParts(database, archived.table, partition.period))) {
    if (other.holder === null) continue
    const held = await ledger.claim(other.label, other.holder)
    if (held === null) return false
    await ledger.release(held)
  }
  return true
}

async function partitionNow(
  database: LedgerDatabase,
  { archived, name }: ArchiveContext,
  label: string,
): Promise<ArchivedPartition> {
  const partition = await readPartition(database, archived.table, label)
  if (partition !== null) return partition
  throw new SluiceError('PARTITION_STATE', `the ledger has no partition ${label} of ${name}`, {
    hint: 'sluice archive list shows the partitions of the ledger',
  })
}

function busyError({ name }: ArchiveContext, partition: ArchivedPartition): SluiceError {
  const { label } = partition
  return partitionError('LEDGER_BUSY', name, { label }, `is in use by ${holderText(partition)}`, {
    hint: 'wait until it has ended; if it was killed, its lease expires half a minute later',
    retryable: true,
  })
}

function holderText({ holder }: ArchivedPartition): string {
  return holder?.host == null ? 'another program' : `the program ${holder.pid} on ${holder.host}`
}
