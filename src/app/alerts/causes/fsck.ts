/** `fsck`: a file of the table is not what the log says. Notes are none: nothing is wrong with the version then. */
import { LookedTables, type CauseWatch } from './cause.ts'

export function fsck(): CauseWatch {
  const tables = new LookedTables()
  return {
    take: (event) => {
      if (event.type === 'fsck.checked') tables.looked(event.table)
      if (event.type === 'fsck.finding' && event.level === 'finding' && tables.found(event.table)) {
        const { table, finding, path, detail } = event
        return [{ cause: 'fsck', table, holds: true, value: [finding, path, detail].filter(Boolean).join(': ') }]
      }
      // What was broken off has not looked at all.
      if (event.type !== 'run.finished' || event.status !== 'ok') return []
      return tables.well.map((table) => ({
        cause: 'fsck' as const,
        table,
        holds: false,
        value: 'nothing that the log points at is wrong',
      }))
    },
  }
}
