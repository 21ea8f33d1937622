/** Optional capabilities of MySQL and MariaDB as a store. */
import { throwIfAborted } from '../../../shared/abort.ts'
import { bySession } from '../../common/by-session.ts'
import { mysqlColumnValues } from '../archive/column-values.ts'
import { untilFlushed } from '../archive/flushed.ts'
import { mysqlPeriodCounts, mysqlPeriodEffort } from '../archive/periods.ts'
import { mysqlKeys, mysqlOrphans, mysqlReferrers, mysqlReferringRow } from '../archive/referrers.ts'
import { mysqlRowCondition } from '../archive/row-condition.ts'
import { mysqlRowTriggers } from '../archive/row-triggers.ts'
import { mysqlUnchecked } from '../archive/unchecked.ts'
import { commentsOf, mysqlLosableTables, mysqlTableMarks } from '../archive/table-facts.ts'
import { mysqlTimeExtent } from '../archive/time-extent.ts'
import { mysqlTimeCondition } from '../archive/time.ts'
import type { MysqlConfig } from '../config.ts'
import type { MysqlOffers } from '../offered.ts'
import { MysqlApply } from '../follow/apply/index.ts'
import { MysqlTriggers } from '../follow/triggers/index.ts'
import { MysqlMaintenance } from '../partition/maintenance/index.ts'
import type { AskMysql } from './dependencies.ts'
import { createdAt } from './same-table.ts'

type OfferParts = {
  readonly config: MysqlConfig
  /** Identity of the server, as in the identity of the store. */
  readonly server: string
  readonly flavour: 'mysql' | 'mariadb'
  readonly ask: AskMysql
}

export function mysqlOffers(parts: OfferParts): MysqlOffers {
  const { config, server, ask } = parts
  return {
    durability: {
      flushed: async (signal) => {
        const error = await ask(signal, (session) => untilFlushed(session, config.label))
        if (error !== null) throw error
      },
    },
    losable: { find: bySession(ask)(mysqlLosableTables) },
    ...recognised(parts),
    ...byRows(ask),
    maintenance: new MysqlMaintenance(config, server),
    triggerChanges: () => new MysqlTriggers(config, ask),
    changeTarget: new MysqlApply(config),
  }
}

function recognised({
  config,
  server,
  flavour,
  ask,
}: OfferParts): Pick<MysqlOffers, 'identification' | 'identities' | 'columnFacts'> {
  return {
    identification: {
      /** Server and database; MariaDB has no `server_uuid`. A dump loaded into another database or server is a copy. */
      origin: async (signal) => {
        throwIfAborted(signal)
        // A restarted container has another host name, and the same id.
        return { server: server.replace(/^mariadb:.*:(?=[^:]+$)/, 'mariadb:'), database: config.database }
      },
      started: (signal) =>
        ask(signal, async (session) => {
          const [[, uptime] = []] = await session.rows("SHOW GLOBAL STATUS LIKE 'Uptime'")
          const [[now] = []] = await session.rows('SELECT UNIX_TIMESTAMP()')
          return uptime == null ? null : `~${Number(now) - Number(uptime)}`
        }),
      mark: async (table, signal) => {
        const created = await ask(signal, (session) => createdAt(session, table))
        // An ALTER changes this time, too.
        return created === null ? null : { text: created, lasting: false }
      },
    },
    // In MariaDB a RENAME changes the creation time of a table.
    identities: { by: 'mark', lasting: flavour === 'mysql', marks: bySession(ask)(mysqlTableMarks) },
    columnFacts: {
      numbers: () => Promise.resolve(null),
      comments: bySession(ask)(commentsOf),
    },
  }
}

function byRows(
  ask: AskMysql,
): Pick<MysqlOffers, 'times' | 'timeExtents' | 'rowValues' | 'periods' | 'referrers' | 'rowTriggers' | 'unchecked'> {
  const by = bySession(ask)
  return {
    times: { condition: mysqlTimeCondition },
    timeExtents: { of: by(mysqlTimeExtent) },
    rowValues: { condition: mysqlRowCondition, values: by(mysqlColumnValues) },
    periods: { scanCost: by(mysqlPeriodEffort), counts: by(mysqlPeriodCounts) },
    referrers: {
      list: by(mysqlReferrers),
      keys: by(mysqlKeys),
      referringRow: by(mysqlReferringRow),
      orphans: (key, timeLimitMs, signal) => ask(signal, (session) => mysqlOrphans(session, key, timeLimitMs)),
    },
    rowTriggers: { list: by(mysqlRowTriggers) },
    unchecked: { list: by(mysqlUnchecked) },
  }
}
