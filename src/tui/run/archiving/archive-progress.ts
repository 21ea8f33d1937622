/**
 * State of an archive run or a restore, folded from its events. It is changed in place. Planned partitions without work
 * are only counted.
 */
import type { ArchiveOperation } from '../../../archive/operations/archive-run/declaration.ts'
import type { RestoreOperation } from '../../../archive/operations/restore/declaration.ts'
import type { ArchiveColumnsEvent, ArchivePlanEvent } from '../../../model/archive/events.ts'
import type { ArchiveState } from '../../../model/archive/state.ts'
import type { Event } from '../../../model/run/event.ts'
import { ArchivePartition, type PartitionStatus } from './archive-partition.ts'

export class ArchiveProgress {
  readonly #operation: ArchiveOperation | RestoreOperation
  readonly #partitions = new Map<string, ArchivePartition>()
  readonly #archives = new Map<string, ArchiveColumnsEvent>()
  #list: readonly ArchivePartition[] = []
  #current: ArchivePartition | null = null
  /** When work on the first partition began, ms since the epoch. */
  begunAt: number | null = null
  /** Planned partitions without work: already archived, not old enough, or restored earlier. */
  readonly left = { done: 0, later: 0, restored: 0 }

  constructor(operation: ArchiveOperation | RestoreOperation) {
    this.#operation = operation
  }

  fold(event: Event, now: number): void {
    if (event.type === 'archive.columns') this.#archives.set(event.table, event)
    else if (event.type === 'archive.planned') this.#planned(event)
    else if (event.type === 'archive.progress') this.#begin(event, now).progress(event, now)
    else if (event.type === 'archive.state') this.#begin(event, now).reach(event)
  }

  /** All partitions with work, in the order of the plan. */
  get partitions(): readonly ArchivePartition[] {
    return this.#list
  }

  /** The partition of the newest event. */
  get current(): ArchivePartition | null {
    return this.#current
  }

  /** Archive columns of a table; null if unknown. */
  archiveOf(table: string): ArchiveColumnsEvent | null {
    return this.#archives.get(table) ?? null
  }

  get tables(): number {
    return new Set(this.#list.map(({ table }) => table)).size
  }

  counts(): Readonly<Record<PartitionStatus, number>> {
    const counts = { waits: 0, running: 0, done: 0, failed: 0, blocked: 0, held: 0 }
    for (const { status } of this.#list) counts[status] += 1
    return counts
  }

  /** Row visits of all partitions: rows times passes. */
  work(): number {
    return this.#list.reduce((sum, partition) => sum + partition.work, 0)
  }

  done(): number {
    return this.#list.reduce((sum, partition) => sum + partition.done, 0)
  }

  /** Bytes read from the source. */
  moved(): number {
    return this.#list.reduce((sum, partition) => sum + partition.moved, 0)
  }

  /** Rows of completed partitions, and of all partitions with work. */
  rows(): { readonly done: number; readonly all: number } {
    let [done, all] = [0, 0]
    for (const { status, size } of this.#list) {
      if (status === 'blocked' || status === 'held') continue
      all += size
      if (status === 'done') done += size
    }
    return { done, all }
  }

  /** Bytes in the source, and in the Parquet files written. */
  sizes(): { readonly source: number; readonly stored: number } {
    let [source, stored] = [0, 0]
    for (const { sourceBytes, bytes } of this.#list) {
      if (sourceBytes === null || bytes === null) continue
      source += sourceBytes
      stored += bytes
    }
    return { source, stored }
  }

  #planned(event: ArchivePlanEvent): void {
    if (event.status === 'done' || event.status === 'later' || event.status === 'restored') {
      this.left[event.status] += 1
      return
    }
    this.#add(event.table, event.partition, event, event.status === 'drop' ? 'DROPPED' : this.#goal())
  }

  #goal(): ArchiveState {
    if (this.#operation.kind === 'restore') return 'RESTORED'
    return this.#operation.detach ? 'DETACHED' : 'PUBLISHED'
  }

  #begin(event: Extract<Event, { type: 'archive.progress' | 'archive.state' }>, now: number): ArchivePartition {
    const { table, partition } = event
    // Use the time in the event: events arrive in batches, so short steps would begin and end at one time of arrival.
    const at = Date.parse(event.ts)
    this.begunAt ??= Number.isNaN(at) ? now : Math.min(now, at)
    this.#current = this.#partitions.get(`${table}\n${partition}`) ?? this.#add(table, partition, null, this.#goal())
    return this.#current
  }

  #add(table: string, name: string, plan: ArchivePlanEvent | null, goal: ArchiveState): ArchivePartition {
    const made = new ArchivePartition(table, name, plan, goal)
    this.#partitions.set(`${table}\n${name}`, made)
    this.#list = [...this.#partitions.values()]
    return made
  }
}
