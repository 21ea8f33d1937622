/** Optional capabilities of SQLite as a store. */
import { closeSync, existsSync, fsyncSync, openSync, statSync } from 'node:fs'
import type Database from 'better-sqlite3'
import type { Durability } from '../../../model/copy/durability-port.ts'
import type { TableName } from '../../../model/copy/column-type.ts'
import type { Origin } from '../../../model/copy/identification-port.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { sqliteColumnValues } from '../archive/column-values.ts'
import { sqlitePeriodCounts, sqlitePeriodEffort } from '../archive/periods.ts'
import { danglingRows, sqliteKeys, sqliteOrphans, sqliteReferrers, sqliteReferringRow } from '../archive/referrers.ts'
import { sqliteRowCondition } from '../archive/row-condition.ts'
import { sqliteRowTriggers } from '../archive/row-triggers.ts'
import { sqliteUnchecked } from '../archive/unchecked.ts'
import { reusedRowNumbers, sqliteTableIdentities } from '../archive/table-facts.ts'
import { sqliteTimeExtent } from '../archive/time-extent.ts'
import { otherSpelling } from '../../common/sqlite-dialect/spellings.ts'
import { sqliteTimeAround, sqliteTimeCondition } from '../archive/time.ts'
import type { SqliteOffers } from '../offered.ts'
import { SqliteApply } from '../follow/apply/index.ts'
import { SqliteTriggers } from '../follow/triggers/index.ts'
import { existing, openReader } from '../reader.ts'
import { withConnection, type SqliteParts } from './connection.ts'
import { sqliteCopyError } from './errors.ts'

export function sqliteOffers(file: string, parts: SqliteParts): SqliteOffers {
  const { label, reader } = parts
  /** Runs the body in a transaction: all its statements see the snapshot of the first one. */
  const within = <T>(signal: AbortSignal, body: (connection: Database.Database) => T | Promise<T>): Promise<T> =>
    withConnection(
      () => openReader(existing(file)),
      label,
      signal,
      (connection) => {
        connection.exec('BEGIN')
        return body(connection)
      },
    )
  // One object for all callers, because it records the stream that is read.
  let triggers: SqliteTriggers | null = null
  return {
    durability: new SqliteDurability(file),
    identification: {
      origin: () => origin(file),
      // SQLite has no server that could have a start time.
      started: () => Promise.resolve(null),
      mark: async (_table, signal) => {
        throwIfAborted(signal)
        try {
          // Tables have no versions. The schema version grows with every change of any table's definition.
          return { text: String(reader().pragma('main.schema_version', { simple: true })), lasting: false }
        } catch (error) {
          throw sqliteCopyError(error, label, parts.side)
        }
      },
    },
    identities: {
      by: 'mark',
      lasting: true,
      marks: (tables: readonly TableName[], signal: AbortSignal) =>
        within(signal, (one) => sqliteTableIdentities(one, tables)),
    },
    times: { condition: sqliteTimeCondition, around: sqliteTimeAround },
    spellings: { condition: otherSpelling },
    timeExtents: {
      of: async (table, column, signal) => {
        throwIfAborted(signal)
        try {
          return await sqliteTimeExtent(reader(), table, column, signal)
        } catch (error) {
          throw sqliteCopyError(error, label, 'source')
        }
      },
    },
    rowValues: {
      condition: sqliteRowCondition,
      values: (table, column, most, signal) =>
        within(signal, (one) => sqliteColumnValues(one, table, column, most, signal)),
    },
    periods: {
      scanCost: (table, conditions, signal) => within(signal, (one) => sqlitePeriodEffort(one, table, conditions)),
      counts: (table, conditions, by, signal) =>
        within(signal, (one) => sqlitePeriodCounts(one, table, conditions, by, signal)),
      reusedColumn: (table, condition, signal) => within(signal, (one) => reusedRowNumbers(one, table, condition)),
    },
    referrers: {
      list: ({ name }, signal) => within(signal, (one) => sqliteReferrers(one, name)),
      keys: ({ name }, signal) => within(signal, (one) => sqliteKeys(one, name)),
      referringRow: (table, referrer, condition, _timeLimitMs, signal) =>
        within(signal, (one) => sqliteReferringRow(one, table, referrer, condition)),
      orphans: (key, _timeLimitMs, signal) => within(signal, (one) => sqliteOrphans(one, key)),
      dangling: (table, condition, signal) => within(signal, (one) => danglingRows(one, table, condition)),
    },
    rowTriggers: { list: ({ name }, signal) => within(signal, (one) => sqliteRowTriggers(one, name)) },
    unchecked: { list: ({ name }, signal) => within(signal, (one) => sqliteUnchecked(one, name)) },
    // A file has no replication slot: changes are available by triggers only.
    triggerChanges: () => (triggers ??= new SqliteTriggers(file, label)),
    changeTarget: new SqliteApply(parts),
  }
}

class SqliteDurability implements Durability {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  /**
   * Syncs the WAL: connections with `synchronous = NORMAL` write commits to it without a sync. In other journal modes
   * commits are already synced.
   */
  async flushed(): Promise<void> {
    const log = `${this.#file}-wal`
    if (!existsSync(log)) return
    // Closing this file loses no lock: SQLite's locks are on the database and the WAL index.
    const open = openSync(log, 'r+')
    try {
      fsyncSync(open)
    } finally {
      closeSync(open)
    }
  }
}

/**
 * Inode and creation time. They stay the same under another path, after a restart of the machine and after VACUUM; a
 * copy of the file has different ones. Some file systems return the time of the last change as the creation time; it is
 * left out then.
 */
async function origin(file: string): Promise<Origin> {
  const { ino, birthtimeNs, ctimeNs } = statSync(file, { bigint: true })
  const isKnown = birthtimeNs > 0n && birthtimeNs !== ctimeNs
  return { file: ino.toString(), ...(isKnown ? { made: birthtimeNs.toString() } : {}) }
}
