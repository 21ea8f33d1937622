/** The tables in which Cassandra keeps the log of a ledger. */
import { setTimeout as sleepFor } from 'node:timers/promises'
import { types } from 'cassandra-driver'
import type { CassandraLink } from '../connect.ts'
import { createTable, refuseOtherColumns, type DeclaredTable } from '../declared-table.ts'
import { cassandraError } from '../errors.ts'
import { cassandraFailure } from '../failure.ts'
import { makeExclusively } from './schema-lock.ts'
import { quotedName } from '../../../shared/sql-text.ts'

/** Format of these tables' contents; a ledger with a larger number is not touched. */
export const LOG_FORMAT = 1

/** Key of the ledger in the head table: a keyspace has one ledger. */
export const LEDGER = 'copies'

export type LogTables = {
  /** One row per ledger: end of its log and its latest snapshot. Only this table gets conditional updates (LWT). */
  readonly head: string
  /** Entries, many per partition, so that one tombstone trims all of them. */
  readonly log: string
  /** Pieces of large entries and of snapshots. */
  readonly part: string
}

export function logTables(keyspace: string): LogTables {
  const of = (name: string): string => `${quotedName(keyspace)}."sluice_ledger_${name}"`
  return { head: of('head'), log: of('log'), part: of('part') }
}

const TABLES: readonly DeclaredTable[] = [
  {
    name: 'sluice_ledger_log',
    columns: {
      ledger: 'text',
      bucket: 'bigint',
      seq: 'bigint',
      id: 'uuid',
      prev: 'uuid',
      at: 'timestamp',
      parts: 'int',
      sum: 'text',
      entry: 'blob',
    },
    partition: ['ledger', 'bucket'],
    clustering: ['seq', 'id'],
  },
  {
    name: 'sluice_ledger_part',
    columns: { id: 'uuid', part: 'int', bytes: 'blob' },
    partition: ['id'],
    clustering: ['part'],
  },
  {
    name: 'sluice_ledger_head',
    columns: {
      ledger: 'text',
      format: 'int',
      level: 'text',
      seq: 'bigint',
      id: 'uuid',
      snapshot_seq: 'bigint',
      snapshot_entry: 'uuid',
      snapshot_id: 'uuid',
      snapshot_parts: 'int',
      snapshot_sum: 'text',
      trimmed: 'bigint',
    },
    partition: ['ledger'],
    clustering: [],
  },
]

/** Creates missing tables. @throws SluiceError TABLE_REFUSED if one has other columns, TARGET_DENIED … */
export async function makeLogTables(link: CassandraLink, keyspace: string): Promise<void> {
  try {
    await refuseOtherLogTables(link, keyspace)
    const names = TABLES.map(({ name }) => name)
    const run = (sql: string): Promise<void> => change(link, sql)
    await makeExclusively(link, keyspace, names, run, async () => {
      for (const table of TABLES) await run(createTable(keyspace, table))
    })
  } catch (error) {
    throw cassandraError(error, link.settings, 'schema')
  }
}

/** @throws SluiceError TABLE_REFUSED if a table with a name of the log has other columns; errors of the driver */
export function refuseOtherLogTables(link: CassandraLink, keyspace: string): Promise<void> {
  return refuseOtherColumns(link, keyspace, TABLES)
}

const ATTEMPTS = 8

/**
 * Changes the schema. All programs with the same list of nodes use the same node, so each of them sees at once what
 * another program has created.
 */
async function change(link: CassandraLink, sql: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const [first] = link.client.hosts
        .values()
        .filter((host) => host.isUp())
        .toSorted((a, b) => (a.address < b.address ? -1 : 1))
      await link.client.execute(sql, [], {
        prepare: false,
        consistency: types.consistencies.one,
        ...(first === undefined || attempt > ATTEMPTS / 2 ? {} : { host: first }),
      })
      return
    } catch (error) {
      // A table that another program created at the same time exists, even if its creator is still informing other
      // nodes.
      const { kind, message } = cassandraFailure(error)
      if (/already exist/i.test(message)) return
      const isPassing = kind === 'no-answer' || kind === 'network' || kind === 'server' || kind === 'overloaded'
      if (attempt === ATTEMPTS || !isPassing) throw error
      await sleepFor(attempt * 100 * (0.5 + Math.random()))
    }
  }
}
