/** Column types of Cassandra: as the driver gives them, in CQL, and as canonical types. */
import { isBefore, type CqlType, type SimpleName } from './cql-type.ts'

export { columnTypeOf, isBefore, type CqlField, type CqlType, type SimpleName } from './cql-type.ts'
export { declareCql } from './declare.ts'
export { cqlText, parseCql } from './type-text.ts'

/** A type in the driver's metadata, of tables and results. */
export type DriverType = {
  readonly code: number
  readonly info?: unknown
  readonly options?: { readonly frozen?: boolean | undefined } | null | undefined
  readonly customTypeName?: string
}

const DURATION = 'org.apache.cassandra.db.marshal.DurationType'

/** Type numbers of the protocol; 10 and 13 are the same. */
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
 * @param info from the driver's metadata of a table: metadata of a result does not show which types are frozen
 * @param old true for a server before 3.6, where user-defined types are always frozen, although not declared so
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

/** True for a type whose elements are separate cells, so that a value has no single write time. */
export function isManyCells(type: CqlType): boolean {
  return 'frozen' in type && !type.frozen
}

/** True if a server freezes user-defined types implicitly: before 3.6. @param release in the server's form: `2.1.0` */
export function freezesTypes(release: string): boolean {
  return isBefore(release, 3, 6)
}
