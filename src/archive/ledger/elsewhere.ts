/** Whether numbers that a ledger noted of tables mean anything in a database. */
import type { Origin } from '../../model/copy/port.ts'

/** A number says nothing in another database than the one that gave it. A fact that one side does not know says nothing. */
export function isElsewhere(then: Origin | null, now: Origin): boolean {
  return ['system', 'database'].some((fact) => {
    const [was, is] = [then?.[fact], now[fact]]
    return was !== undefined && is !== undefined && was !== is
  })
}
