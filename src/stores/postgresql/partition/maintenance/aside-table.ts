/** One of the tables that are to take the place of a default partition. */
import type { ComingPartition } from '../../../../model/partition/maintenance-port.ts'
import type { Twin } from './twin.ts'

export type AsideTable = {
  readonly twin: Twin
  /** Of rows of the default partition those that belong into it. @param row name of the row in a statement */
  readonly belongs: (row: string) => string
  /** The key says it, too: each row with the same key belongs into the same table. */
  readonly byKey: boolean
  /** Null for the successor of the default partition. */
  readonly wish: ComingPartition | null
  /** Rows in it. */
  rows: bigint
}
