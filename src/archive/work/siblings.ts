/** A partition beside the others of its table, for whoever archives it. */
import type { Beside } from '../steps/beside.ts'
import { conditionOf, fitNow, type ArchiveContext } from '../steps/context.ts'
import { readDetached, readParts } from '../ledger/record.ts'
import type { LedgerDatabase } from '../../model/copy/port.ts'
import { openArchiveQuery } from '../../stores/parquet.ts'
import { keyDifferences } from '../plan/late-rows.ts'
import { periodRows } from '../plan/period-rows.ts'

export function besideOf(context: ArchiveContext, database: LedgerDatabase): Beside {
  const { store, archived, interrupt, reader } = context
  return {
    parts: ({ period }) => readParts(database, archived.table, period),
    detached: () => readDetached(database, archived.table),
    shrunken: async () => {
      const partitions = await readDetached(database, archived.table)
      if (partitions.length === 0) return []
      const source = { store, table: context.table, signal: interrupt.abort }
      const looks = await periodRows(source, { ...archived, partitions }, 'cheap')
      return partitions.filter(({ label }) => {
        const look = looks.get(label)
        return look !== undefined && 'surplus' in look && look.surplus < 0n
      })
    },
    doubled: async (partition, others, native) => {
      const table = native?.table ?? context.table
      const where = native === null ? conditionOf(context, partition) : null
      const archive = { reader, open: openArchiveQuery }
      const source = { store, table: { ...table, key: context.table.key }, signal: interrupt.abort }
      // A table that has left keeps the columns that it had.
      const columns = partition.away
        ? fitNow(context, partition).shared.map(({ file }) => file)
        : archived.stored.columns
      const record = { ...archived, stored: { ...archived.stored, columns } }
      return (await keyDifferences(source, record, others, archive, { values: false, where }))?.both ?? null
    },
  }
}
