/** Optional capabilities of Cassandra and YCQL as a store. */
import type { SourceView } from '../../../model/copy/source-port.ts'
import { cassandraRemovalRefusal } from '../archive/remove.ts'
import { cassandraTimeCondition, cassandraTimeExtent } from '../archive/time.ts'
import type { CassandraLink } from '../connect.ts'
import type { CassandraOffers } from '../offered.ts'
import { askingCassandra } from '../errors.ts'
import { untilSynced } from '../flushed.ts'
import { CqlTrack } from '../track.ts'
import { ringPicture } from './ring-sample.ts'
import { tableId } from './schema-tables.ts'
import { settingsFor } from './table-settings.ts'

type OfferParts = {
  readonly link: CassandraLink
  /** Keyspace of the ledger. @throws SluiceError BAD_CONFIG */
  readonly keyspace: () => string
  readonly source: (signal: AbortSignal) => Promise<SourceView>
}

export function cassandraOffers({ link, keyspace, source }: OfferParts): CassandraOffers {
  const asked = <T>(body: () => Promise<T>): Promise<T> => askingCassandra(link, 'read', body)
  return {
    tableOptions: { fitted: (settings) => settingsFor(settings, link.release, link.partitioner === 'ycql') },
    durability: { flushed: (signal) => untilSynced(link, signal) },
    tracks: { open: (schema) => new CqlTrack(link, schema) },
    ring: { sample: (table, options, signal) => ringPicture(link, table, options, signal) },
    identification: {
      /**
       * The id of a ledger table is part of the origin. In a keyspace that was restored elsewhere, tables have other
       * ids, unless they were created with the old ids.
       */
      origin: () =>
        asked(async () => {
          const ledger = await tableId(link, { schema: keyspace(), name: 'sluice_ledger_head' })
          return { cluster: link.cluster, keyspace: keyspace(), ...(ledger === null ? {} : { ledger }) }
        }),
      started: () => Promise.resolve(null),
      mark: (table) =>
        asked(async () => {
          const id = await tableId(link, table)
          return id === null ? null : { text: id, lasting: true }
        }),
    },
    times: { condition: cassandraTimeCondition },
    timeExtents: {
      of: async (table, column, signal) => {
        await using view = await source(signal)
        return await cassandraTimeExtent(view, table, column, signal)
      },
    },
    removals: { refusal: (table) => asked(() => cassandraRemovalRefusal(link, table)) },
  }
}
