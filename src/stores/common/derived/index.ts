/** A source whose tables get additional columns: constants, and the entries of a map, one row per entry. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { forwarded, present } from '../around.ts'
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
  const sample = store.tokenSample?.bind(store)
  const comments = store.comments?.bind(store)
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
    ...present<CopyStore>({
      // Derived rows cannot be replicated by a stream.
      joined: null,
      namesSchema: store.namesSchema ?? null,
      fittedSettings: forwarded(store, 'fittedSettings'),
      refuseUncreatable: forwarded(store, 'refuseUncreatable'),
      beside: forwarded(store, 'beside'),
      track: forwarded(store, 'track'),
      tokenSample: sample === undefined ? null : (table, look, signal) => sample(below(table), look, signal),
      mark: forwarded(store, 'mark'),
      origin: forwarded(store, 'origin'),
      started: forwarded(store, 'started'),
      comments: comments === undefined ? null : (table, signal) => comments(below(table), signal),
      // An archive holds the rows of a table unchanged: a table with derived rows has none.
      columnNumbers: null,
      identities: null,
      otherLedgers: null,
      withSchema: null,
      partitions: null,
      partitionPlan: null,
      timeCondition: null,
      timeExtent: null,
      columnValues: null,
      rowCondition: null,
      periods: null,
      referrers: null,
      rowTriggers: null,
      losable: null,
      flushed: null,
      maintenance: null,
      inPlace: null,
      decommission: null,
      changeSource: null,
      changeTarget: null,
      switches: null,
      switchSide: null,
      operational: null,
    }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** Wraps the view of a source for one table that `derivedTable` has changed. */
export function derivedView(view: SourceView, table: TableSpec, options: Derivation, system: string): SourceView {
  if (changesNothing(options)) return view
  return derivedSource(view, options, new Map([[tableText(table.table), table]]), system === 'cassandra')
}
