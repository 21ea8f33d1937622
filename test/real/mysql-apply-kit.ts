/** A database of its own on a MySQL server, and a session that applies changes to its tables. */
import type { ChangeTarget } from '../../src/model/follow/port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { makePlace, type Place } from '../support/copy-systems.ts'

export type Target = { readonly place: Place; readonly store: CopyStore; readonly changes: ChangeTarget }

export const FENCE = ['CREATE TABLE fence (owner varchar(20) PRIMARY KEY, n int)', "INSERT INTO fence VALUES ('me', 0)"]

export async function makeTarget(...sql: readonly string[]): Promise<Target> {
  const place = await makePlace('mysql', '')
  await place.sql(...FENCE, ...sql)
  return { place, ...(await changesOf(place.url)) }
}

export async function changesOf(url: string): Promise<Pick<Target, 'store' | 'changes'>> {
  const store = await openMysqlCopy(url)
  const changes = store.offers.changeTarget
  if (changes === undefined) throw new Error('MySQL takes no changes')
  return { store, changes }
}

/** Closes a transaction for an owner: only `me` has the fencing token. */
export function closingOf(owner = 'me'): Closing {
  return {
    statements: [{ sql: 'UPDATE fence SET n = n + 1 WHERE owner = ?', parameters: [owner] }],
    guard: { sql: 'SELECT 1', parameters: [] },
    landed: { sql: 'SELECT 1 FROM fence WHERE n < 0', parameters: [] },
  }
}
