/** A source whose tables have columns more than they have: constants, and the entries of a map, each in a row of its own. */
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore, SourceView } from '../copy-port.ts'
import { derivedTable } from './tables.ts'
import { DerivedView } from './view.ts'
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
  const beside = store.beside?.()
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
    source: async (signal) => new DerivedView(await store.source(signal), wish, bases, system === 'cassandra'),
    target: () => store.target(),
    objects: () => store.objects(),
    ledger: () => store.ledger(),
    ...(beside === undefined ? {} : { beside: () => beside }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** The look at a source in which a single table is as `derivedTable` makes it. */
export function derivedView(view: SourceView, table: TableSpec, wish: Derivation, system: string): SourceView {
  if (changesNothing(wish)) return view
  return new DerivedView(view, wish, new Map([[tableText(table.table), table]]), system === 'cassandra')
}
