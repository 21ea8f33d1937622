/** What columns of Cassandra hold: as its driver tells it, in CQL, and in the words that all stores share. */
import type { ColumnType } from '../../../model/copy/column-type.ts'

export { declareCql } from './declare.ts'
export { cqlText, parseCql } from './type-text.ts'

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

/** What stands within another type is frozen, whatever its text says. */
export type CqlType =
  | { readonly kind: 'simple'; readonly name: SimpleName }
  | { readonly kind: 'list' | 'set'; readonly of: CqlType; readonly frozen: boolean }
  | { readonly kind: 'map'; readonly key: CqlType; readonly value: CqlType; readonly frozen: boolean }
  | { readonly kind: 'tuple'; readonly parts: readonly CqlType[] }
  /** Of the keyspace of its table, for there is no other way. `fields` is null where only its name is known. */
  | {
      readonly kind: 'udt'
      readonly name: string
      readonly fields: readonly CqlField[] | null
      readonly frozen: boolean
    }
  | { readonly kind: 'vector'; readonly of: CqlType; readonly size: number }
  /** A class of the server, as its bytes. */
  | { readonly kind: 'custom'; readonly name: string }

/** A type as the driver's metadata has it, in tables and in results. */
export type DriverType = {
  readonly code: number
  readonly info?: unknown
  readonly options?: { readonly frozen?: boolean | undefined } | null | undefined
  readonly customTypeName?: string
}

const DURATION = 'org.apache.cassandra.db.marshal.DurationType'

/** Numbers of the protocol; 10 and 13 are the same. */
const NAMES: ReadonlyMap<number, SimpleName> = new Map<number, SimpleName>([
  [1, 'ascii'],
  [2, 'bigint'],
  [3, 'blob'],
  [4, 'boolean'],
  [5, 'counter'],
  [6, 'decimal'],
  [7, 'double'],
  [8, 'float'],
  [9, 'int'],
  [10, 'text'],
  [11, 'timestamp'],
  [12, 'uuid'],
  [13, 'text'],
  [14, 'varint'],
  [15, 'timeuuid'],
  [16, 'inet'],
  [17, 'date'],
  [18, 'time'],
  [19, 'smallint'],
  [20, 'tinyint'],
  [21, 'duration'],
])
const LIST = 0x20
const MAP = 0x21
const SET = 0x22
const USER_TYPE = 0x30
const TUPLE = 0x31

/**
 * @param info of the driver's metadata of a table: that of a result does not tell what is frozen
 * @param old a server before 3.6, where types of users are always frozen and nobody says so
 */
export function cqlTypeOf(info: DriverType, old: boolean): CqlType {
  return typeOf(info, old, false)
}

function typeOf({ code, info, options, customTypeName }: DriverType, old: boolean, within: boolean): CqlType {
  const name = NAMES.get(code)
  if (name !== undefined) return { kind: 'simple', name }
  const frozen = within || options?.frozen === true
  const inner = (type: unknown): CqlType => typeOf(type as DriverType, old, true)
  switch (code) {
    case LIST:
    case SET:
      return { kind: code === LIST ? 'list' : 'set', of: inner(info), frozen }
    case MAP: {
      const [key, value] = info as readonly [unknown, unknown]
      return { kind: 'map', key: inner(key), value: inner(value), frozen }
    }
    case TUPLE:
      return { kind: 'tuple', parts: (info as readonly unknown[]).map(inner) }
    case USER_TYPE: {
      const udt = info as { readonly name: string; readonly fields: readonly { name: string; type: unknown }[] }
      const fields = udt.fields.map((field) => ({ name: field.name, type: inner(field.type) }))
      return { kind: 'udt', name: udt.name, fields, frozen: frozen || old }
    }
    default:
      if (customTypeName === 'vector') {
        const [of, size] = info as readonly [unknown, number]
        return { kind: 'vector', of: inner(of), size }
      }
      return info === DURATION ? { kind: 'simple', name: 'duration' } : { kind: 'custom', name: String(info) }
  }
}

/** Whether its elements are cells of their own, so that it is not one value with one time. */
export function isManyCells(type: CqlType): boolean {
  return 'frozen' in type && !type.frozen
}

/** Whether a server freezes types of users by itself: before 3.6. @param release as the server tells it: `2.1.0` */
export function freezesTypes(release: string): boolean {
  return isBefore(release, 3, 6)
}

/** Whether a server is of a time before some release. */
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

/** Lists and sets are JSON like all else that holds several values: sets and maps sort theirs, and none holds nulls. */
export function columnTypeOf(type: CqlType): ColumnType {
  if (type.kind === 'simple') return PLAIN[type.name]
  return type.kind === 'custom' ? { kind: 'native', name: `cassandra ${type.name}` } : { kind: 'json' }
}
