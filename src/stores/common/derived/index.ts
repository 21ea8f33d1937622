/**
 * A source whose tables get additional columns: constants, and the entries of a map, one row per entry. The table
 * declarations name these columns.
 */
import { tableText, type TableSpec, type Column, type ColumnType } from '../../../model/copy/column-type.ts'
import type { ColumnFacts } from '../../../model/archive/values-port.ts'
import type { Offers } from '../../../model/copy/offers.ts'
import { presentMembers } from '../optional-members.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { derivedSource } from './view.ts'
import { changesNothing, type Derivation, addsNothing } from './derivation.ts'
import { createHash } from 'node:crypto'
import { SluiceError } from '../../../shared/errors.ts'
import { columnTypeOf, cqlText, parseCql } from '../../cassandra/copy/types.ts'

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
      ring: ring === undefined ? null : { sample: (table, of, signal) => ring.sample(below(table), of, signal) },
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
      removals: null,
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

/** The facts without column numbers: only archives need these, and a table with derived columns has no archive. */
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

const TEXT: ColumnType = { kind: 'text' }

/**
 * Adds the derived columns. The map's key becomes the last column of the row key, because one source row can become
 * several rows.
 * @throws SluiceError BAD_FLAG if a column is missing, or exists already; UNSUPPORTED_TYPE if it is no map
 */
export function derivedTable(table: TableSpec, options: Derivation, system: string): TableSpec {
  if (addsNothing(options)) return table
  const { constants = {}, explodeMap } = options
  for (const name of Object.keys(constants)) {
    if (table.key.includes(name)) throw taken(table, name, 'is part of its key, and cannot be a constant')
  }
  const entries = explodeMap === undefined ? [] : entryColumns(table, explodeMap, system)
  const made = new Set([...Object.keys(constants), ...entries.map(({ name }) => name)])
  const kept = table.columns.filter(({ name }) => name !== explodeMap?.column && !made.has(name))
  if (explodeMap !== undefined) {
    for (const { name } of entries) {
      const isOther = name !== explodeMap.column && table.columns.some((column) => column.name === name)
      if (isOther || name in constants) throw taken(table, name, 'exists already')
    }
  }
  const always = Object.entries(constants).map(([name, value]): Column => ({
    name,
    type: TEXT,
    native: 'text',
    nullable: false,
    made: 'constant',
    always: value,
  }))
  const { blocks: _blocks, ...rest } = table
  return {
    // Blocks are read by row number, which rows derived from one map do not have.
    ...(explodeMap === undefined ? table : rest),
    identity: `${table.identity} ${createHash('sha256')
      .update(JSON.stringify([Object.entries(constants), explodeMap]))
      .digest('hex')
      .slice(0, 16)}`,
    columns: [...kept, ...entries, ...always],
    key: explodeMap === undefined || table.key.length === 0 ? table.key : [...table.key, explodeMap.key],
  }
}

function entryColumns(
  table: TableSpec,
  { column, key, value }: NonNullable<Derivation['explodeMap']>,
  system: string,
): readonly Column[] {
  const map = table.columns.find(({ name }) => name === column)
  if (map === undefined) throw taken(table, column, 'does not exist')
  if (table.key.includes(column)) throw taken(table, column, 'is part of its key, and cannot become several rows')
  const cql = system === 'cassandra' ? parseCql(map.native, fieldsOf(table)) : null
  if (cql === null ? map.type.kind !== 'json' : cql.kind !== 'map') {
    throw new SluiceError('UNSUPPORTED_TYPE', `${tableText(table.table)}.${column} (${map.native}) is not a map`, {
      hint: 'name a Cassandra map or a column of JSON objects with --explode-map',
    })
  }
  const named = (name: string, made: 'key' | 'value'): Column => {
    const type = cql?.kind === 'map' ? cql[made] : null
    return {
      name,
      type: type === null ? TEXT : columnTypeOf(type),
      native: type === null ? 'text' : cqlText(type),
      nullable: made === 'value' && type === null,
      made,
    }
  }
  return [named(key, 'key'), named(value, 'value')]
}

/** Finds the fields of the table's user-defined types. */
function fieldsOf({ types = [] }: TableSpec): Parameters<typeof parseCql>[1] {
  const find: NonNullable<Parameters<typeof parseCql>[1]> = (name) =>
    types
      .find((type) => type.name === name)
      ?.fields.map((field) => ({ name: field.name, type: parseCql(field.native, find) })) ?? null
  return find
}

function taken({ table, columns }: TableSpec, name: string, what: string): SluiceError {
  return new SluiceError('BAD_FLAG', `${name} of ${tableText(table)} ${what}`, {
    hint: `the table has ${columns.map((column) => column.name).join(', ')}`,
  })
}
