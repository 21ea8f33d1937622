/** A source whose tables have columns more than they have: constants, and the entries of a map, each in a row of its own. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { forwarded, present } from '../around.ts'
import type { CopyStore, SourceView } from '../../../model/copy/port.ts'
import { derivedTable } from './tables.ts'
import { derivedSource } from './view.ts'
import { changesNothing, type Derivation } from './wish.ts'

export { derivedTable } from './tables.ts'
export type { Derivation } from './wish.ts'

/**
 * The store itself where nothing is made.
 * @throws (when it is asked for tables) SluiceError BAD_FLAG, UNSUPPORTED_TYPE
 */
export function derivedStore(store: CopyStore, wish: Derivation): CopyStore {
  if (changesNothing(wish)) return store
  const bases = new Map<string, TableSpec>()
  const { system } = store
  const below = (table: TableSpec): TableSpec => bases.get(tableText(table.table)) ?? table
  const sample = store.tokenSample?.bind(store)
  const comments = store.comments?.bind(store)
  return {
    system,
    label: store.label,
    identity: store.identity,
    // Rows that nobody looks into cannot be changed.
    can: { ...store.can, frames: [] },
    schema: store.schema,
    tables: async (pattern, signal) => {
      const found = await store.tables(pattern, signal)
      return found.map((table) => {
        bases.set(tableText(table.table), table)
        return derivedTable(table, wish, system)
      })
    },
    declare: (type, inKey, wishes) => store.declare(type, inKey, wishes),
    source: async (signal) => derivedSource(await store.source(signal), wish, bases, system === 'cassandra'),
    target: () => store.target(),
    objects: () => store.objects(),
    ledger: () => store.ledger(),
    ...present<CopyStore>({
      // What is made on the way is followed by nobody.
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
      // An archive holds the rows of a table as they are: there is none of a table whose rows are made on the way.
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

/** The look at a source in which a single table is as `derivedTable` makes it. */
export function derivedView(view: SourceView, table: TableSpec, wish: Derivation, system: string): SourceView {
  if (changesNothing(wish)) return view
  return derivedSource(view, wish, new Map([[tableText(table.table), table]]), system === 'cassandra')
}
