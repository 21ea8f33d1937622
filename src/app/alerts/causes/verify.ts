/** `verify`: what is read of an archive is not what was proved. Rows that came late to the table are no damage. */
import { LookedTables, type CauseWatch } from './cause.ts'

export function verify(): CauseWatch {
  const tables = new LookedTables()
  return {
    take: (event) => {
      if (event.type === 'archive.progress') tables.looked(event.table)
      if (event.type === 'archive.finding' && event.finding !== 'late rows' && tables.found(event.table)) {
        const { table, finding, partition, path, detail } = event
        const value = [finding, path ?? partition, detail].filter(Boolean).join(': ')
        return [{ cause: 'verify', table, holds: true, value }]
      }
      // All were gone through where the run ended well, or with what it found.
      if (event.type !== 'run.finished' || event.status === 'stopped') return []
      if (event.status !== 'ok' && event.error?.code !== 'PROOF_FAILED') return []
      return tables.well.map((table) => ({
        cause: 'verify' as const,
        table,
        holds: false,
        value: 'all of the archive that was read is as it was proved',
      }))
    },
  }
}
