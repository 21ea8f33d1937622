/** Optional abilities of PostgreSQL stores. */
import type { CopyStore } from '../../../model/copy/port.ts'
import type { Durability } from '../../../model/copy/durability-port.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import { bySession, type Ask } from '../../common/by-session.ts'
import type { Pool } from '../../common/pool.ts'
import { columnNumbers, tablesNumbered } from '../archive/column-numbers.ts'
import { postgresColumnValues, postgresRowCondition } from '../archive/row-condition.ts'
import { removalRefusal } from '../archive/foreseen.ts'
import { PostgresPartitions } from '../archive/partitions.ts'
import { postgresPeriodCounts, postgresPeriodEffort } from '../archive/periods.ts'
import { postgresKeys, postgresOrphans, postgresReferrers, postgresReferringRow } from '../archive/referrers.ts'
import { postgresRowTriggers } from '../archive/row-triggers.ts'
import { postgresUnchecked } from '../archive/unchecked.ts'
import type { Steps } from '../archive/steps.ts'
import { columnComments, postgresLosableTables } from '../archive/table-facts.ts'
import { unsynced } from '../server/commit.ts'
import { postgresTimeCondition, postgresTimeExtent } from '../archive/time.ts'
import { PostgresApply } from '../follow/apply/index.ts'
import { PostgresOperational } from '../follow/operational/index.ts'
import { PostgresChanges } from '../follow/replication/index.ts'
import { PostgresSwitches } from '../follow/switch/index.ts'
import { PostgresSwitchSide } from '../follow/switch/side.ts'
import { PostgresTriggers } from '../follow/triggers/index.ts'
import { PostgresDecommission } from '../partition/decommission/index.ts'
import { PostgresInPlace } from '../partition/in-place/index.ts'
import { PostgresMaintenance } from '../partition/maintenance/index.ts'
import { PostgresPartitionPlan } from '../partition/plan/index.ts'
import type { PostgresOffers } from '../server/offered.ts'
import type { CopySession } from '../server/session.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { literal, tableSql } from '../server/sql.ts'
import { otherLedgers } from '../server/trusted-tables.ts'
import { originOf, STARTED } from './identity.ts'
import { joinedSource } from './source.ts'
import { PostgresTrack } from './track.ts'

type OfferParts = {
  readonly settings: PostgresSettings
  readonly identity: string
  /** Schema of names without a schema. */
  readonly schema: string
  readonly sessions: Pool<CopySession>
  readonly steps: Steps
  /** Maximum number of sessions of one read view. */
  readonly readers: number
  readonly ask: Ask<CopySession>
  readonly withSchema: (schema: string) => Promise<CopyStore>
}

export function postgresOffers(parts: OfferParts): PostgresOffers {
  const { settings, identity, sessions, readers, ask } = parts
  return {
    sharedViews: {
      joined: async (exported, signal) => {
        throwIfAborted(signal)
        return joinedSource(settings, exported, readers)
      },
    },
    durability: new PostgresDurability(ask, settings.label),
    losable: { find: bySession(ask)(postgresLosableTables) },
    otherLedgers: {
      list: (of, table, signal) => ask(signal, (session) => otherLedgers((sql) => session.ask(sql), of, table)),
      open: parts.withSchema,
    },
    tracks: { open: (schema, ledger) => new PostgresTrack(ledger, schema) },
    ...recognised(parts),
    ...byRows(parts),
    partitions: new PostgresPartitions(identity, sessions, parts.steps),
    maintenance: new PostgresMaintenance(settings, sessions),
    partitionPlan: new PostgresPartitionPlan(settings, sessions),
    inPlace: new PostgresInPlace(settings, sessions),
    decommission: new PostgresDecommission(settings, identity),
    slotChanges: () => new PostgresChanges(settings, sessions),
    triggerChanges: () => new PostgresTriggers(settings, sessions, readers),
    changeTarget: new PostgresApply(settings),
    switches: new PostgresSwitches(settings, sessions),
    switchSide: new PostgresSwitchSide(settings, sessions),
    operational: new PostgresOperational(settings),
  }
}

function recognised({
  ask,
  identity,
  schema: own,
}: OfferParts): Pick<PostgresOffers, 'identification' | 'identities' | 'columnFacts'> {
  return {
    identification: {
      origin: (signal) => ask(signal, originOf),
      started: (signal) => ask(signal, (session) => session.one(STARTED)),
      mark: async ({ schema, name }, signal) => {
        const quoted = tableSql({ schema: schema ?? own, name })
        const sql = `SELECT pg_catalog.to_regclass(${literal(quoted)})::oid`
        const [[oid] = []] = await ask(signal, (session) => session.ask(sql))
        return oid == null ? null : { text: oid, lasting: true }
      },
    },
    identities: { by: 'number', tables: bySession(ask)(tablesNumbered) },
    columnFacts: {
      numbers: ({ table }, signal) => ask(signal, (session) => columnNumbers(session, table, identity)),
      comments: ({ table }, signal) => ask(signal, (session) => columnComments(session, table)),
    },
  }
}

function byRows({
  ask,
  settings,
}: Pick<OfferParts, 'ask' | 'settings'>): Pick<
  PostgresOffers,
  'times' | 'timeExtents' | 'rowValues' | 'periods' | 'referrers' | 'rowTriggers' | 'removals' | 'unchecked'
> {
  const by = bySession(ask)
  return {
    times: { condition: postgresTimeCondition },
    timeExtents: { of: by(postgresTimeExtent) },
    rowValues: { condition: postgresRowCondition, values: by(postgresColumnValues) },
    periods: { scanCost: by(postgresPeriodEffort), counts: by(postgresPeriodCounts) },
    referrers: {
      list: by(postgresReferrers),
      keys: by(postgresKeys),
      referringRow: by(postgresReferringRow),
      orphans: (key, timeLimitMs, signal) => ask(signal, (session) => postgresOrphans(session, key, timeLimitMs)),
    },
    rowTriggers: { list: by(postgresRowTriggers) },
    removals: { refusal: (table, signal) => ask(signal, (session) => removalRefusal(session, table, settings)) },
    unchecked: { list: by(postgresUnchecked) },
  }
}

class PostgresDurability implements Durability {
  readonly #ask: Ask<CopySession>
  readonly #label: string
  #synced: Promise<void> | null = null

  constructor(ask: Ask<CopySession>, label: string) {
    this.#ask = ask
    this.#label = label
  }

  /** Reads the server's settings once, because streams call this method for every position. */
  flushed(signal: AbortSignal): Promise<void> {
    this.#synced ??= this.#refuseUnsynced(signal).catch((error: unknown) => {
      this.#synced = null
      throw error
    })
    return this.#synced
  }

  async #refuseUnsynced(signal: AbortSignal): Promise<void> {
    const error: SluiceError | null = await this.#ask(signal, (session) => unsynced(session, this.#label))
    if (error !== null) throw error
  }
}
