/** Records which new partitions a stream reported: one that is gone at the next inspection took its rows along. */
import type { Change } from '../../model/copy/change.ts'
import { tableText } from '../../model/copy/column-type.ts'
import type { FollowedTable } from '../../model/follow/port.ts'

export type PartitionChange = Extract<Change, { type: 'partition' }>

const NONE: ReadonlyMap<string, string> = new Map()

export class ReportedPartitions {
  readonly #byTable = new Map<string, Map<string, string>>()

  note(table: string, { id, name }: PartitionChange): void {
    this.#byTable.set(table, (this.#byTable.get(table) ?? new Map()).set(id, name))
  }

  /** Name by id. @param table as `tableText` returns it */
  of(table: string): ReadonlyMap<string, string> {
    return this.#byTable.get(table) ?? NONE
  }

  /** Call it before shapes of tables are noted: what an earlier stream reported of partitions does not matter then. */
  forget(tables: readonly FollowedTable[]): void {
    for (const { table } of tables) this.#byTable.delete(tableText(table.table))
  }
}
