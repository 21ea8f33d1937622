/**
 * Names of ledgers in the log of an archive: each commit has the name of its ledger in the application id of a `txn`,
 * which checkpoints and erasures preserve.
 */
import { createHash } from 'node:crypto'
import type { Origin } from '../../model/copy/identification-port.ts'

/** Name of one ledger in the log of one archive. */
export type LedgerName = {
  readonly id: string
  /** System, host and database at the time of naming, without user and password. */
  readonly at: string
  /** Database for which the ledger was named; in a copy of that database, `archive adopt` renames the ledger. */
  readonly of: Origin
}

/** A ledger named in a log. @property database digest of the facts that distinguish its database from a copy */
export type NamedLedger = Pick<LedgerName, 'id' | 'at'> & { readonly database: string }

/** Application ids of partitions (`sluice/TABLE/LABEL`) never have this prefix, whatever the table's name. */
const PREFIX = 'sluice-ledger/'

export function ledgerApp({ id, at, of }: LedgerName): string {
  return `${PREFIX}${id}/${databaseDigest(of)}@${at}`
}

/** Digest of the facts; independent of their order. */
export function databaseDigest(of: Origin): string {
  const facts = Object.entries(of).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)
}

/** The ledger that an application id names; null for any other id. */
export function ledgerOfApp(appId: string): NamedLedger | null {
  if (!appId.startsWith(PREFIX)) return null
  const [, id, database, at] = /^([^/@]+)\/([^/@]+)@(.*)$/s.exec(appId.slice(PREFIX.length)) ?? []
  return id === undefined || database === undefined || at === undefined ? null : { id, database, at }
}
