/** Names of ledgers in the log of an archive: each commit has that of the ledger that wrote it, in the application id of a `txn`, which checkpoints and erasures keep. */
import type { Origin } from '../../stores/copy-port.ts'

/** What one ledger is called in the log of one archive. */
export type LedgerName = {
  readonly id: string
  /** System, host and database, without user and password: as they were when it was named. */
  readonly at: string
  /** The database that it was made for: in a copy of that one, adoption gives it another name. */
  readonly of: Origin
}

/** A ledger that a log names. */
export type NamedLedger = Pick<LedgerName, 'id' | 'at'>

/** No application id of a partition begins so (`sluice/TABLE/LABEL`), whatever the table is called. */
const PREFIX = 'sluice-ledger/'

export function ledgerApp({ id, at }: NamedLedger): string {
  return `${PREFIX}${id}@${at}`
}

/** The ledger that an application id names; null where it is the id of anything else. */
export function ledgerOfApp(appId: string): NamedLedger | null {
  const end = appId.indexOf('@')
  if (!appId.startsWith(PREFIX) || end === -1) return null
  return { id: appId.slice(PREFIX.length, end), at: appId.slice(end + 1) }
}
