/** One of the tables that replace a default partition. */
import type { ComingPartition } from '../../../../model/partition/maintenance-port.ts'
import type { NewPartitionTable } from './new-table.ts'

export type SideTable = {
  readonly newTable: NewPartitionTable
  /** SQL: a row of the default partition belongs into it. @param row name of the row in a statement */
  readonly belongs: (row: string) => string
  /** The key decides: all rows with the same key belong into the same table. */
  readonly byKey: boolean
  /** Null for the successor of the default partition. */
  readonly coming: ComingPartition | null
  rows: bigint
}
