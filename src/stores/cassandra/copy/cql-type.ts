/** CQL types as data, and their canonical types. */
import type { ColumnType } from '../../../model/copy/column-type.ts'

export type SimpleName =
  | 'ascii'
  | 'bigint'
  | 'blob'
  | 'boolean'
  | 'counter'
  | 'date'
  | 'decimal'
  | 'double'
  | 'duration'
  | 'float'
  | 'inet'
  | 'int'
  | 'smallint'
  | 'text'
  | 'time'
  | 'timestamp'
  | 'timeuuid'
  | 'tinyint'
  | 'uuid'
  | 'varint'

export type CqlField = { readonly name: string; readonly type: CqlType }

/** A CQL type. Types within another type are always frozen, even if their text lacks `frozen`. */
export type CqlType =
  | { readonly kind: 'simple'; readonly name: SimpleName }
  | { readonly kind: 'list' | 'set'; readonly of: CqlType; readonly frozen: boolean }
  | { readonly kind: 'map'; readonly key: CqlType; readonly value: CqlType; readonly frozen: boolean }
  | { readonly kind: 'tuple'; readonly parts: readonly CqlType[] }
  /** A user-defined type, which must be in the keyspace of its table. `fields` is null if only its name is known. */
  | {
      readonly kind: 'udt'
      readonly name: string
      readonly fields: readonly CqlField[] | null
      readonly frozen: boolean
    }
  | { readonly kind: 'vector'; readonly of: CqlType; readonly size: number }
  /** A class of the server; its values are transferred as bytes. */
  | { readonly kind: 'custom'; readonly name: string }

/** True if a server is older than a release. */
export function isBefore(release: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = release.split('.').map((part) => Number.parseInt(part, 10))
  return first < major || (first === major && second < minor)
}

const PLAIN: Readonly<Record<SimpleName, ColumnType>> = {
  ascii: { kind: 'text' },
  bigint: { kind: 'int', bits: 64 },
  blob: { kind: 'bytes' },
  boolean: { kind: 'bool' },
  counter: { kind: 'int', bits: 64 },
  date: { kind: 'date' },
  decimal: { kind: 'decimal', spelled: true },
  double: { kind: 'float', bits: 64 },
  duration: { kind: 'native', name: 'duration' },
  float: { kind: 'float', bits: 32 },
  inet: { kind: 'native', name: 'inet' },
  int: { kind: 'int', bits: 32 },
  smallint: { kind: 'int', bits: 16 },
  text: { kind: 'text' },
  time: { kind: 'time', digits: 9 },
  timestamp: { kind: 'timestamp', zone: true, digits: 3 },
  timeuuid: { kind: 'uuid' },
  tinyint: { kind: 'int', bits: 8 },
  uuid: { kind: 'uuid' },
  varint: { kind: 'decimal', scale: 0 },
}

/**
 * The canonical type of a CQL type. Lists, sets and other types with several values are JSON: sets and maps are sorted,
 * and none of them contains nulls.
 */
export function columnTypeOf(type: CqlType): ColumnType {
  if (type.kind === 'simple') return PLAIN[type.name]
  return type.kind === 'custom' ? { kind: 'native', name: `cassandra ${type.name}` } : { kind: 'json' }
}
