/** Encodes canonical cells as the bytes that Cassandra stores. */
import { withoutArrayBounds } from '../../../model/copy/array-bounds.ts'
import { bytesOfBlob } from '../../../model/copy/bytes-text.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { canonicalDecimal } from '../../../model/copy/decimal.ts'
import { refusedValue } from '../../../model/copy/refused.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { unknownFields } from './decode.ts'
import { JsonNumber, parseJson, type Json } from '../../../model/lake/json-tree.ts'
import { isByName } from './map-form.ts'
import { floatText } from './numbers.ts'
import { compareOf } from './order.ts'
import { scalarBytes } from './scalar-bytes.ts'
import type { Given } from './scalars.ts'
import { cqlText, type CqlField, type CqlType, type SimpleName } from './types.ts'
import { uvintBytes } from './vint.ts'

/**
 * Returns the function that encodes a cell; it returns null for null, and refuses values that Cassandra would change.
 * @param as type in which the values are transferred
 * @throws SluiceError UNSUPPORTED_TYPE; the function: VALUE_REFUSED, ROW_REFUSED
 */
export function cassandraEncoder(type: CqlType, as: ColumnType): (cell: Cell) => Buffer | null {
  const bytes = withoutArrayBounds(as, bytesOf(type, as))
  return (cell) => (cell === null ? null : bytes(cell))
}

function bytesOf(type: CqlType, as: ColumnType): (cell: Given) => Buffer {
  if (type.kind === 'custom') return classBytes
  if (type.kind === 'simple') {
    const bytes = scalarBytes(type.name)
    if (as.kind !== 'float' || (type.name !== 'text' && type.name !== 'ascii')) return bytes
    return (cell) => bytes(floatText(Number(cell), as.bits))
  }
  const spelled = as.kind === 'native'
  const bytes = jsonBytes(type, spelled)
  const keepsEmpty = !('frozen' in type) || type.frozen
  return (cell) => {
    const value = parseJson(String(cell))
    if (!keepsEmpty && isNothing(value)) {
      throw new SluiceError('VALUE_REFUSED', `Cassandra does not distinguish an empty ${type.kind} from NULL`, {
        reason: `only a frozen ${type.kind} can be empty`,
        hint: 'set it to NULL in the source, or give the target a text column',
      })
    }
    return bytes(value)
  }
}

function isNothing(value: Json): boolean {
  if (Array.isArray(value)) return value.length === 0
  return value instanceof Map && [...(value as ReadonlyMap<string, Json>).values()].every((one) => one === null)
}

type Bytes = (value: Json) => Buffer

function jsonBytes(type: CqlType, spelled: boolean): Bytes {
  switch (type.kind) {
    case 'simple':
      return scalarOf(type.name)
    case 'list':
      return listOf(type.of, spelled)
    case 'set':
      return setOf(type, spelled)
    case 'map':
      return mapOf(type, spelled)
    case 'tuple':
      return tupleOf(type.parts, spelled)
    case 'udt':
      if (type.fields === null) throw unknownFields(type.name)
      return udtOf(type.name, type.fields, spelled)
    case 'vector':
      return vectorOf(type, spelled)
    case 'custom':
      return (value) => classBytes(typeof value === 'string' ? value : '')
  }
}

function refused(what: string, value: Json): SluiceError {
  const shown = value instanceof JsonNumber ? value.digits : value instanceof Map ? '{…}' : JSON.stringify(value)
  return refusedValue(`${what} of Cassandra`, shown)
}

function classBytes(cell: Given): Buffer {
  const bytes = typeof cell === 'string' ? bytesOfBlob(cell) : null
  if (bytes === null) throw refusedValue('bytes of a class of Cassandra', cell)
  return bytes
}

function scalarOf(name: SimpleName): Bytes {
  const bytes = scalarBytes(name)
  switch (name) {
    case 'bigint':
    case 'counter':
    case 'decimal':
    case 'int':
    case 'smallint':
    case 'tinyint':
    case 'varint':
      return (value) => {
        if (!(value instanceof JsonNumber)) throw refused(`a ${name}`, value)
        return bytes(value.digits)
      }
    case 'boolean':
      return (value) => {
        if (typeof value !== 'boolean') throw refused('a boolean', value)
        return bytes(value ? '1' : '0')
      }
    case 'double':
    case 'float':
      return (value) => bytes(floatOf(value, name))
    case 'blob':
      return (value) => classBytes(typeof value === 'string' ? value : '')
    default:
      return (value) => {
        if (typeof value !== 'string') throw refused(`a ${name}`, value)
        return bytes(value)
      }
  }
}

const NO_NUMBERS: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity', '-0'])

/** Refuses numbers with more digits than the type keeps. */
function floatOf(value: Json, name: 'double' | 'float'): number {
  if (typeof value === 'string' && NO_NUMBERS.has(value)) return Number(value)
  if (!(value instanceof JsonNumber)) throw refused(`a ${name}`, value)
  const number = name === 'float' ? Math.fround(Number(value.digits)) : Number(value.digits)
  const text = floatText(number, name === 'float' ? 32 : 64)
  if (!Number.isFinite(number) || canonicalDecimal(text) !== canonicalDecimal(value.digits)) {
    throw refused(`a ${name}`, value)
  }
  return number
}

function listOf(of: CqlType, spelled: boolean): Bytes {
  const bytes = jsonBytes(of, spelled)
  return (value) => {
    if (!Array.isArray(value)) throw refused('a list', value)
    return collection(
      value.length,
      value.map((one) => bytes(within(one))),
    )
  }
}

function setOf({ of }: CqlType & { readonly kind: 'set' | 'list' }, spelled: boolean): Bytes {
  const bytes = jsonBytes(of, spelled)
  const compare = compareOf(of)
  return (value) => {
    if (!Array.isArray(value)) throw refused('a set', value)
    const all = value.map((one) => bytes(within(one)))
    if (!spelled && !ascends(all, compare)) throw refused('a set of sorted, distinct elements', value)
    return collection(all.length, all)
  }
}

function mapOf(type: CqlType & { readonly kind: 'map' }, spelled: boolean): Bytes {
  const ofKey = jsonBytes(type.key, spelled)
  const ofValue = jsonBytes(type.value, spelled)
  const compare = compareOf(type.key)
  if (!isByName(type, spelled)) {
    return (value) => {
      if (!Array.isArray(value)) throw refused(`a ${cqlText(type)} as a list of pairs`, value)
      const pairs = value.map((pair: Json) => {
        if (!Array.isArray(pair) || pair.length !== 2) throw refused('a pair of key and value', pair)
        return [ofKey(within(pair[0] as Json)), ofValue(within(pair[1] as Json))] as const
      })
      const keys = pairs.map(([key]) => key)
      if (!spelled && !ascends(keys, compare)) throw refused('a map of sorted, distinct keys', value)
      return collection(pairs.length, pairs.flat())
    }
  }
  const asKey = keyOf(type.key)
  return (value) => {
    if (!(value instanceof Map)) throw refused('a map', value)
    const members = value as ReadonlyMap<string, Json>
    const pairs = Array.from(members, ([name, one]) => [ofKey(asKey(name)), ofValue(within(one))] as const)
    pairs.sort(([a], [b]) => compare(a, b))
    const keys = pairs.map(([key]) => key)
    if (!ascends(keys, compare)) throw refused('a map of distinct keys', value)
    return collection(pairs.length, pairs.flat())
  }
}

/** Converts the name of a JSON member back into the JSON of the map's key. */
function keyOf(key: CqlType): (name: string) => Json {
  const name = key.kind === 'simple' ? key.name : 'text'
  switch (name) {
    case 'boolean':
      return (text) => (text === 'true' || text === 'false' ? text === 'true' : text)
    case 'double':
    case 'float':
      return (text) => (NO_NUMBERS.has(text) ? text : new JsonNumber(text))
    case 'bigint':
    case 'counter':
    case 'decimal':
    case 'int':
    case 'smallint':
    case 'tinyint':
    case 'varint':
      return (text) => new JsonNumber(text)
    default:
      return (text) => text
  }
}

function within(value: Json): Json {
  if (value === null)
    throw new SluiceError('VALUE_REFUSED', 'lists, sets and maps of Cassandra cannot contain NULL', {
      hint: 'remove the NULL at the source, or give the target a text column',
    })
  return value
}

function ascends(all: readonly Buffer[], compare: (a: Buffer, b: Buffer) => number): boolean {
  return all.every((one, at) => at === 0 || compare(all[at - 1] as Buffer, one) < 0)
}

function tupleOf(parts: readonly CqlType[], spelled: boolean): Bytes {
  const all = parts.map((part) => jsonBytes(part, spelled))
  return (value) => {
    const fits = Array.isArray(value) && (spelled ? value.length <= all.length : value.length === all.length)
    if (!fits) throw refused(`a tuple of ${all.length}`, value)
    return lengthened((value as readonly Json[]).map((one, at) => (one === null ? null : (all[at] as Bytes)(one))))
  }
}

function udtOf(name: string, fields: readonly CqlField[], spelled: boolean): Bytes {
  const all = fields.map((field) => ({ name: field.name, bytes: jsonBytes(field.type, spelled) }))
  const names = new Set(all.map((field) => field.name))
  return (value) => {
    if (!(value instanceof Map)) throw refused(`a ${name}`, value)
    const members = value as ReadonlyMap<string, Json>
    // An unknown field cannot be stored, and a missing one would be read back as null.
    for (const [field, one] of members) if (!names.has(field) && one !== null) throw refused(`a ${name}`, field)
    const last = spelled ? all.findLastIndex((field) => members.has(field.name)) + 1 : all.length
    if (!spelled && (members.size !== all.length || all.some((field) => !members.has(field.name)))) {
      throw refused(`a ${name} with its fields ${[...names].join(', ')}`, value)
    }
    return lengthened(
      all.slice(0, last).map((field) => {
        const one = members.get(field.name) ?? null
        return one === null ? null : field.bytes(one)
      }),
    )
  }
}

/** Types whose values have no length prefix in a vector. */
const SIZED: ReadonlySet<SimpleName> = new Set([
  'bigint',
  'boolean',
  'double',
  'float',
  'int',
  'timestamp',
  'timeuuid',
  'uuid',
])

function isSized(type: CqlType): boolean {
  return type.kind === 'vector' ? isSized(type.of) : type.kind === 'simple' && SIZED.has(type.name)
}

function vectorOf(type: CqlType & { readonly kind: 'vector' }, spelled: boolean): Bytes {
  const bytes = jsonBytes(type.of, spelled)
  const element = isSized(type.of)
    ? bytes
    : (value: Json): Buffer => {
        const one = bytes(value)
        return Buffer.concat([uvintBytes(BigInt(one.length)), one])
      }
  return (value) => {
    if (!Array.isArray(value) || value.length !== type.size) throw refused(`a vector of ${type.size}`, value)
    return Buffer.concat(value.map((one) => element(within(one))))
  }
}

function collection(count: number, parts: readonly Buffer[]): Buffer {
  const head = Buffer.allocUnsafe(4)
  head.writeInt32BE(count)
  return Buffer.concat([head, lengthened(parts)])
}

/** Joins the parts, each after its length in bytes; -1 for null. */
function lengthened(parts: readonly (Buffer | null)[]): Buffer {
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + 4 + (part?.length ?? 0), 0))
  let at = 0
  for (const part of parts) {
    bytes.writeInt32BE(part === null ? -1 : part.length, at)
    at += 4
    if (part === null) continue
    part.copy(bytes, at)
    at += part.length
  }
  return bytes
}
