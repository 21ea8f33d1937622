/** A source whose tables get additional columns: constants, and the entries of a map, one row per entry. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnFacts } from '../../../model/archive/values-port.ts'
import type { Offers } from '../../../model/copy/offers.ts'
import { presentMembers } from '../around.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { derivedTable } from './tables.ts'
import { derivedSource } from './view.ts'
import { changesNothing, type Derivation } from './derivation.ts'

export { derivedTable } from './tables.ts'
export type { Derivation } from './derivation.ts'

/** Returns the store itself if nothing is derived. @throws (on `tables`) SluiceError BAD_FLAG, UNSUPPORTED_TYPE */
export function derivedStore(store: CopyStore, options: Derivation): CopyStore {
  if (changesNothing(options)) return store
  const bases = new Map<string, TableSpec>()
  const { system } = store
  const below = (table: TableSpec): TableSpec => bases.get(tableText(table.table)) ?? table
  const { tableOptions, tracks, ring, identification, columnFacts } = store.offers
  return {
    system,
    label: store.label,
    identity: store.identity,
    // Frames cannot be used: they pass rows on undecoded, so derived columns could not be added.
    can: { ...store.can, frames: [] },
    schema: store.schema,
    tables: async (pattern, signal) => {
      const found = await store.tables(pattern, signal)
      return found.map((table) => {
        bases.set(tableText(table.table), table)
        return derivedTable(table, options, system)
      })
    },
    declare: (type, inKey, requests) => store.declare(type, inKey, requests),
    source: async (signal) => derivedSource(await store.source(signal), options, bases, system === 'cassandra'),
    target: () => store.target(),
    objects: () => store.objects(),
    ledger: () => store.ledger(),
    refuseUncreatable: (table, signal) => store.refuseUncreatable(table, signal),
    dependencies: () => store.dependencies(),
    ...(store.namesSchema === undefined ? {} : { namesSchema: store.namesSchema }),
    offers: presentMembers<Offers<CopyStore>>({
      tableOptions: tableOptions ?? null,
      tracks: tracks ?? null,
      ring: ring === undefined ? null : { sample: (table, look, signal) => ring.sample(below(table), look, signal) },
      identification: identification ?? null,
      columnFacts: columnFacts === undefined ? null : commentsOnly(columnFacts, below),
      // Derived rows cannot be replicated by a stream.
      sharedViews: null,
      slotChanges: null,
      triggerChanges: null,
      changeTarget: null,
      // An archive holds the rows of a table unchanged, so a table with derived rows cannot have an archive.
      identities: null,
      otherLedgers: null,
      partitions: null,
      partitionPlan: null,
      times: null,
      spellings: null,
      timeExtents: null,
      rowValues: null,
      periods: null,
      referrers: null,
      rowTriggers: null,
      unchecked: null,
      losable: null,
      durability: null,
      maintenance: null,
      inPlace: null,
      decommission: null,
      switches: null,
      switchSide: null,
      operational: null,
    }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** Without column numbers: only archives keep them, and a table with derived columns cannot have an archive. */
function commentsOnly(facts: ColumnFacts, below: (table: TableSpec) => TableSpec): ColumnFacts {
  return {
    numbers: () => Promise.resolve(null),
    comments: (table, signal) => facts.comments(below(table), signal),
  }
}

/** Wraps the view of a source for one table that `derivedTable` has changed. */
export function derivedView(view: SourceView, table: TableSpec, options: Derivation, system: string): SourceView {
  if (changesNothing(options)) return view
  return derivedSource(view, options, new Map([[tableText(table.table), table]]), system === 'cassandra')
}
