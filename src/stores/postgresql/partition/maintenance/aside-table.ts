/** One of the tables that replace a default partition. */
import type { ComingPartition } from '../../../../model/partition/maintenance-port.ts'
import type { NewPartitionTable } from './new-table.ts'

export type SideTable = {
  readonly newTable: NewPartitionTable
  /** SQL condition: a row of the default partition belongs to this table. @param row its name in the statement */
  readonly belongs: (row: string) => string
  /** True if the key alone decides: all rows with the same key belong to the same table. */
  readonly byKey: boolean
  /** Null for the new default partition. */
  readonly coming: ComingPartition | null
  rows: bigint
}
