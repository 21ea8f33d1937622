/** A database of its own, a session that applies changes to its tables, and their rows, read without sluice. */
import type { Put } from '../../src/model/copy/change.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { Applied, ChangeRequest, ChangeTable, ChangeTarget, ChangeWriter } from '../../src/model/follow/port.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { makePlace, type Place } from '../support/copy-systems.ts'
import { onlyTable } from '../support/copy-zoo.ts'
import { SIGNAL } from './copy-postgresql-kit.ts'

export type Target = { readonly place: Place; readonly store: CopyStore; readonly changes: ChangeTarget }

export async function makeTarget(sql: string): Promise<Target> {
  const place = await makePlace('postgresql', '')
  await place.sql('CREATE TABLE fence (owner text PRIMARY KEY, n int)', "INSERT INTO fence VALUES ('me', 0)", sql)
  const store = await openPostgresCopy(place.url)
  const changes = store.offers.changeTarget
  if (changes === undefined) throw new Error('PostgreSQL takes no changes')
  return { place, store, changes }
}

export async function changeTable(store: CopyStore, name: string, identity: readonly string[]): Promise<ChangeTable> {
  const table = await onlyTable(store, name)
  return { table, columns: table.columns.map((column) => ({ name: column.name, as: column.type, column })), identity }
}

export function requestOf(tables: readonly ChangeTable[], more: Partial<ChangeRequest> = {}): ChangeRequest {
  return { tables, fireTriggers: false, signal: SIGNAL, ...more }
}

/** Closes a transaction for an owner: only `me` has the fencing token. */
export function closingOf(owner = 'me'): Closing {
  return {
    statements: [{ sql: 'UPDATE fence SET n = n + 1 WHERE owner = ?', parameters: [owner] }],
    guard: { sql: 'SELECT 1', parameters: [] },
    landed: { sql: 'SELECT 1 WHERE false', parameters: [] },
  }
}

/** A complete row whose identity is its first cells. */
export function put(row: Row, width = 1): Put {
  return { row, key: row.slice(0, width), base: null }
}

/** Applies one transaction. */
export async function applied(
  writer: ChangeWriter,
  puts: readonly Put[],
  gone: readonly Row[] = [],
  table = 0,
): Promise<Applied> {
  const done = await writer.apply(table, { puts, gone })
  const outcome = await writer.commit(closingOf())
  if (outcome !== 'committed') throw new Error(outcome)
  return done
}

/** So many rows that they go through a staging table. */
export const MANY = 600
