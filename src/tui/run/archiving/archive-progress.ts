/** An archive run or a restore, folded from its events. It grows in place; a partition of a plan that nothing is done with is only counted. */
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
  /** When the first partition was begun. */
  begunAt: number | null = null
  /** Partitions of the plan that are archived already, that are not old enough, and that were brought back. */
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

  /** In the order of the plan. */
  get partitions(): readonly ArchivePartition[] {
    return this.#list
  }

  /** What was worked on last. */
  get current(): ArchivePartition | null {
    return this.#current
  }

  /** How a table stands in its archive, where that is known. */
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

  /** Rows to go over in all partitions, each as often as it is read. */
  work(): number {
    return this.#list.reduce((sum, partition) => sum + partition.work, 0)
  }

  done(): number {
    return this.#list.reduce((sum, partition) => sum + partition.done, 0)
  }

  /** Text that came out of the source. */
  moved(): number {
    return this.#list.reduce((sum, partition) => sum + partition.moved, 0)
  }

  /** Rows of what is through, and of all that is worked on. */
  rows(): { readonly done: number; readonly all: number } {
    let [done, all] = [0, 0]
    for (const { status, size } of this.#list) {
      if (status === 'blocked' || status === 'held') continue
      all += size
      if (status === 'done') done += size
    }
    return { done, all }
  }

  /** Bytes of the source and of the Parquet files of what is written. */
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
    // Events come in batches: what is quick would begin and end at once.
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
