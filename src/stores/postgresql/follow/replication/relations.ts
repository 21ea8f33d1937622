/** Maps relation OIDs of the stream to tables and column positions, and checks that the tables are unchanged. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import type { CopySession, TextRow } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { cellReaders, type CellReaders } from './cells.ts'
import type { RelationMessage } from './pgoutput.ts'
import { parseReplicatedShape, type ColumnShape, type ReplicatedShape } from './shapes.ts'
import { TableRows } from './table-rows.ts'
import { TEXT_WIRE, replicationWire, type ReplicationWire, type WireColumn } from './wire.ts'

/** @property misfit why its rows cannot be read as requested; absent if they can */
export type ReplicatedRelation =
  { readonly table: number; readonly rows: TableRows } | { readonly table: number; readonly misfit: string }

/** First version whose output plugin sends values in binary formats. */
const BINARY = 140_000

type Ask = (sql: string) => Promise<readonly TextRow[]>

export class ReplicatedRelations {
  readonly #tables: readonly FollowedTable[]
  readonly #readers: CellReaders
  readonly #places: ReadonlyMap<string, number>
  /** OIDs of the tables when the stream was opened; no entry for a table that did not exist. */
  readonly #ids: ReadonlyMap<number, number>
  readonly #ask: Ask
  /** Type with its length as the server prints it, by `typeKey`. */
  readonly #types: Map<string, string>
  /** Columns of each table in the order of their attribute numbers, as noted for the stream; empty without a note. */
  readonly #noted: readonly (readonly ColumnShape[])[]
  /** OIDs of each table's partitions: the noted ones, and those reported as new; null without a note. */
  readonly #partitions: readonly (Set<number> | null)[]
  readonly #known = new Map<number, ReplicatedRelation>()
  /** Format of values. */
  readonly wire: ReplicationWire

  /**
   * @param shapes from `StreamStart`
   * @param ask queries types that were not in use when the stream was opened
   * @param mayBeBinary true if the caller also accepts rows in the binary formats
   * @throws SluiceError NOT_FOLLOWABLE
   */
  static async open(
    session: CopySession,
    tables: readonly FollowedTable[],
    shapes: Readonly<Record<string, string>>,
    ask: Ask,
    mayBeBinary = false,
  ): Promise<ReplicatedRelations> {
    const readers = await cellReaders(session, tables)
    const names = tables.map(({ table: { table } }, i) => `(${i}, ${literal(tableSql(table))})`)
    const columns = await session.ask(
      `SELECT w.place, c.oid, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attname, t.typtype
       FROM (VALUES ${names.join(', ')}) AS w (place, sql) JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(w.sql)::oid
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid`,
    )
    const ids = new Map(columns.map(([place, oid]) => [Number(oid), Number(place)]))
    const types = new Map(columns.map(([, , type, modifier, text]) => [`${type}/${modifier}`, text ?? '']))
    const isBinary = mayBeBinary && session.version >= BINARY
    const wire = isBinary
      ? replicationWire(tables.map((table, i) => ({ table, columns: wireColumns(columns, i) })))
      : TEXT_WIRE
    const noted = tables.map(({ table }) => {
      const text = shapes[tableText(table.table)]
      return text === undefined ? null : parseReplicatedShape(text)
    })
    return new ReplicatedRelations(tables, readers, ids, types, noted, ask, wire)
  }

  private constructor(
    tables: readonly FollowedTable[],
    readers: CellReaders,
    ids: ReadonlyMap<number, number>,
    types: Map<string, string>,
    noted: readonly (ReplicatedShape | null)[],
    ask: Ask,
    wire: ReplicationWire,
  ) {
    this.#tables = tables
    this.#readers = readers
    this.#ids = ids
    this.#types = types
    this.#noted = noted.map((shape) => shape?.columns ?? [])
    this.#partitions = noted.map((shape) => shape && new Set(shape.nodes.map(({ oid }) => Number(oid))))
    this.#ask = ask
    this.wire = wire
    this.#places = new Map(tables.map(({ table }, place) => [tableText(table.table), place]))
  }

  /** @returns null for a table that is not followed */
  of(id: number): ReplicatedRelation | null {
    return this.#known.get(id) ?? null
  }

  /** Stops reading the table from here on. */
  dismiss(id: number, table: number, misfit: string): void {
    this.#known.set(id, { table, misfit })
  }

  /** @returns a promise if a type has to be queried first; changes of the table cannot be read before it resolves */
  see(message: RelationMessage): Promise<void> | null {
    const place = this.#placeOf(message)
    if (place === null) return null
    const unknown = message.columns.filter((column) => !this.#types.has(typeKey(column)))
    if (unknown.length === 0) {
      this.#known.set(message.id, this.#compared(place, message))
      return null
    }
    return this.#learn(unknown).then(() => void this.#known.set(message.id, this.#compared(place, message)))
  }

  /** True once for each partition that the noted shape does not have. */
  isNewPartition(table: number, id: number): boolean {
    const known = this.#partitions[table]
    if (known == null || known.has(id)) return false
    known.add(id)
    return true
  }

  /** @returns why rows of a partition cannot be read under the name of its root; null if they can */
  partitionMisfit(table: number, root: RelationMessage, partition: RelationMessage): string | null {
    const name = tableText(partition)
    // If the root has replica identity FULL, the server marks old rows as whole: those of this partition lack values.
    if (root.identity === 'f' && partition.identity !== 'f')
      return `partition ${name}: its replica identity is not FULL`
    const misfit = identityMisfit(partition, this.#tables[table]?.identity ?? [])
    return misfit === null ? null : `partition ${name}: ${misfit}`
  }

  /** Finds a table by name; a renamed table by its OID. */
  #placeOf({ id, schema, name }: RelationMessage): number | null {
    return this.#places.get(tableText({ schema, name })) ?? this.#known.get(id)?.table ?? this.#ids.get(id) ?? null
  }

  #compared(place: number, message: RelationMessage): ReplicatedRelation {
    const wanted = this.#tables[place] as FollowedTable
    const misfit = this.#misfit(place, wanted, message)
    if (misfit !== null) return { table: place, misfit }
    return { table: place, rows: new TableRows(place, wanted, this.#readers[place] ?? [], message, this.wire) }
  }

  #misfit(place: number, { table, columns, identity }: FollowedTable, message: RelationMessage): string | null {
    const { id, schema, name } = message
    const text = tableText({ schema, name })
    if (text !== tableText(table.table)) return `the table was renamed to ${text}`
    const now = [...this.#ids].find(([, at]) => at === place)?.[0]
    if (now !== undefined && now !== id) return 'the table was dropped and recreated, or another one has its name'
    const known = new Map(table.columns.map((column) => [column.name, column]))
    const noted = new Set(this.#noted[place]?.map((column) => column.name))
    for (const column of message.columns) {
      const planned = known.get(column.name)
      // Changes from before a column was dropped contain it. `renumberedIn` compares its place and type.
      if (planned === undefined && noted.has(column.name)) continue
      if (planned === undefined) return `the column ${column.name} was added, dropped or renamed`
      const type = this.#types.get(typeKey(column)) ?? 'a type that is gone'
      if (type !== planned.native) return `the column ${column.name} is ${type}, and was ${planned.native}`
    }
    const reported = new Map(message.columns.map((column) => [column.name, column]))
    for (const column of columns) {
      if (!reported.has(column.name))
        return `the column ${column.name} was dropped or renamed, or is no longer published`
    }
    const renumbered = renumberedIn(this.#noted[place] ?? [], message.columns)
    if (renumbered !== null) return renumbered
    return identityMisfit(message, identity)
  }

  async #learn(columns: RelationMessage['columns']): Promise<void> {
    const list = columns.map(({ type, modifier }) => `(${type}::oid, ${modifier})`).join(', ')
    const rows = await this.#ask(
      `SELECT w.type, w.modifier, pg_catalog.format_type(w.type, w.modifier) FROM (VALUES ${list}) AS w (type, modifier)`,
    )
    for (const [type, modifier, text] of rows) this.#types.set(`${type}/${modifier}`, text ?? '')
  }
}

/** @param wanted columns of the row key */
function identityMisfit({ identity, columns }: RelationMessage, wanted: readonly string[]): string | null {
  if (wanted.length === 0 || identity === 'f') return null
  const key = columns.filter((column) => column.key).map((column) => column.name)
  if (key.length === wanted.length && wanted.every((column) => key.includes(column))) return null
  return `its replica identity is ${key.length === 0 ? 'nothing' : key.join(', ')}, and was ${wanted.join(', ')}`
}

/**
 * Detects names that belong to other columns after a rename. A message has no attribute numbers, only the order of its
 * columns and the OIDs of their types.
 * @returns why a name belongs to another column than noted; null if each name belongs to the same column
 */
function renumberedIn(noted: readonly ColumnShape[], columns: RelationMessage['columns']): string | null {
  const before = new Map(noted.map((column) => [column.name, column]))
  const now = columns.filter(({ name }) => before.has(name))
  const sent = new Set(now.map(({ name }) => name))
  const moved = noted.filter(({ name }) => sent.has(name)).filter(({ name }, at) => name !== now[at]?.name)
  if (moved.length > 0) return `the columns ${moved.map(({ name }) => name).join(', ')} exchanged their numbers: they were renamed` // prettier-ignore
  const other = now.find(({ name, type, modifier }) => before.get(name)?.type !== `${type} ${modifier}`)
  return other === undefined ? null : `the column ${other.name} has another type of the same name`
}

function wireColumns(rows: readonly TextRow[], place: number): readonly WireColumn[] {
  return rows.flatMap(([at, , type, , , name, kind]) =>
    Number(at) === place && type !== null ? [{ name: name ?? '', type: Number(type), kind: kind ?? '' }] : [],
  )
}

function typeKey({ type, modifier }: { readonly type: number; readonly modifier: number }): string {
  return `${type}/${modifier}`
}
