/** Names of ledgers in the log of an archive: each commit has that of the ledger that wrote it, in the application id of a `txn`, which checkpoints and erasures keep. */
import { createHash } from 'node:crypto'
import type { Origin } from '../../model/copy/port.ts'

/** What one ledger is called in the log of one archive. */
export type LedgerName = {
  readonly id: string
  /** System, host and database, without user and password: as they were when it was named. */
  readonly at: string
  /** The database that it was made for: in a copy of that one, adoption gives it another name. */
  readonly of: Origin
}

/** A ledger that a log names. @property database digest of the facts that tell its database from a copy */
export type NamedLedger = Pick<LedgerName, 'id' | 'at'> & { readonly database: string }

/** No application id of a partition begins so (`sluice/TABLE/LABEL`), whatever the table is called. */
const PREFIX = 'sluice-ledger/'

export function ledgerApp({ id, at, of }: LedgerName): string {
  return `${PREFIX}${id}/${databaseDigest(of)}@${at}`
}

/** The same for the same facts, whatever their order. */
export function databaseDigest(of: Origin): string {
  const facts = Object.entries(of).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)
}

/** The ledger that an application id names; null where it is the id of anything else. */
export function ledgerOfApp(appId: string): NamedLedger | null {
  if (!appId.startsWith(PREFIX)) return null
  const [, id, database, at] = /^([^/@]+)\/([^/@]+)@(.*)$/s.exec(appId.slice(PREFIX.length)) ?? []
  return id === undefined || database === undefined || at === undefined ? null : { id, database, at }
}
