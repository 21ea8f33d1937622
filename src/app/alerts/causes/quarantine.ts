/** `quarantine`: rows of a table are set aside, by this run or by one before it. */
import type { CauseWatch, Verdict } from './cause.ts'

export function quarantine(): CauseWatch {
  const told = new Set<string>()
  const aside = (table: string, value: string): readonly Verdict[] => {
    if (told.has(table)) return []
    told.add(table)
    return [{ cause: 'quarantine', table, holds: true, value }]
  }
  return {
    take: (event) => {
      if (event.type === 'row.aside') {
        const key = event.key.map((one) => one ?? 'NULL').join(', ')
        return aside(
          event.table,
          `the row with the key ${key} was set aside: ${event.error.code}: ${event.error.message}`,
        )
      }
      if (event.type !== 'table.finished' || event.copied === undefined) return []
      const { table, status, copied } = event
      const { quarantined } = copied
      if (quarantined !== '0')
        return aside(table, `${quarantined} ${quarantined === '1' ? 'row is' : 'rows are'} set aside`)
      if (status !== 'ok' && status !== 'current') return []
      told.delete(table)
      return [{ cause: 'quarantine', table, holds: false, value: 'no row is set aside' }]
    },
  }
}
