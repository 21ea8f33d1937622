/** Decides whether table identities in a ledger are valid in a database. */
import type { Origin } from '../../model/copy/identification-port.ts'

/**
 * True if the two databases differ: table identities are valid only in the database that assigned them. A fact that is
 * missing in one origin is ignored.
 */
export function isOtherDatabase(then: Origin | null, now: Origin): boolean {
  return ['system', 'database'].some((fact) => {
    const [was, is] = [then?.[fact], now[fact]]
    return was !== undefined && is !== undefined && was !== is
  })
}
