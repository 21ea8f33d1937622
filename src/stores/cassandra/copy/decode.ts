/** Decodes the driver's values to canonical cells. Types with several values become JSON, in canonical form. */
import { blobText } from '../../../model/copy/bytes-text.ts'
import type cassandra from 'cassandra-driver'
import { isCut, type ColumnType } from '../../../model/copy/column-type.ts'
import { storedConverter } from '../../../model/copy/convert.ts'
import { canonicalDecimal } from '../../../model/copy/decimal.ts'
import { refusedValue } from '../../../model/copy/refused.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { validText } from '../broken-text.ts'
import { isByName } from './map-form.ts'
import { floatText } from './numbers.ts'
import { scalarReader, type Given } from './scalars.ts'
import { columnTypeOf, type CqlField, type CqlType, type SimpleName } from './types.ts'

/**
 * Returns the function that decodes the driver's values, which are BigInt for whole numbers, Map for maps and Set for
 * sets.
 * @param as type in which values are transferred; `native` between two Cassandra systems, which keeps trailing zeros of
 * decimals and missing fields
 * @throws SluiceError UNSUPPORTED_TYPE; the function: VALUE_REFUSED
 */
export function cassandraDecoder(type: CqlType, as: ColumnType): (value: unknown) => Cell {
  const read = readerOf(type, as.kind === 'native')
  if (isAlready(columnTypeOf(type), as)) return (value) => (value == null ? null : read(value))
  const convert = storedConverter(columnTypeOf(type), as)
  return (value) => (value == null ? null : convert(read(value)))
}

/** True if the column's canonical form is also the canonical form of the type in which values are transferred. */
function isAlready(type: ColumnType, as: ColumnType): boolean {
  if (as.kind === 'native') return true
  if (type.kind === 'json') return as.kind === 'json' || as.kind === 'list'
  if (isCut(as) || type.kind !== as.kind) return false
  if (as.kind === 'float') return type.kind === 'float' && type.bits <= as.bits
  if (as.kind === 'text') return as.padded !== true
  if (as.kind === 'decimal') return as.precision === undefined
  // Values with more digits than the transfer type need a conversion, which cuts them as for any source.
  return as.kind !== 'time' && as.kind !== 'timestamp' ? true : 'digits' in type && type.digits <= as.digits
}

function readerOf(type: CqlType, spelled: boolean): (value: unknown) => Given {
  if (type.kind === 'simple') return scalarReader(type.name, spelled)
  return type.kind === 'custom' ? bytesText(type.name) : jsonOf(type, spelled)
}

function bytesText(name: string): (value: unknown) => string {
  return (value) => {
    if (Buffer.isBuffer(value)) return blobText(value)
    throw refusedValue('a value that can be copied', `a value of the type ${name}`)
  }
}

type JsonWriter = (value: unknown) => string

/** Returns the function that writes values of a type as JSON; a null element becomes `null`. */
function jsonOf(type: CqlType, spelled: boolean): JsonWriter {
  const text = jsonText(type, spelled)
  return (value) => (value == null ? 'null' : text(value))
}

function jsonText(type: CqlType, spelled: boolean): JsonWriter {
  switch (type.kind) {
    case 'simple':
      return scalarJson(type.name, spelled)
    case 'list':
    case 'set': {
      const item = jsonOf(type.of, spelled)
      return (value) => `[${Array.from(value as Iterable<unknown>, item).join(',')}]`
    }
    case 'vector': {
      const item = jsonOf(type.of, spelled)
      return (value) => `[${(value as cassandra.types.Vector).elements.map(item).join(',')}]`
    }
    case 'map':
      return mapJson(type, spelled)
    case 'tuple':
      return tupleJson(type.parts, spelled)
    case 'udt':
      if (type.fields === null) throw unknownFields(type.name)
      return udtJson(type.fields, spelled)
    case 'custom': {
      const bytes = bytesText(type.name)
      return (value) => `"${bytes(value)}"`
    }
  }
}

/** Returns the function that writes a single value as JSON; numbers that JSON cannot express become texts. */
function scalarJson(name: SimpleName, spelled: boolean): JsonWriter {
  const read = scalarReader(name, spelled)
  switch (name) {
    case 'ascii':
    case 'text':
      return (value) => JSON.stringify(read(value))
    case 'bigint':
    case 'counter':
    case 'int':
    case 'smallint':
    case 'tinyint':
    case 'varint':
    case 'decimal':
      return (value) => String(read(value))
    case 'boolean':
      return String
    case 'blob':
      return (value) => `"${blobText(value as Buffer)}"`
    case 'double':
    case 'float':
      return (value) => floatJson(value as number, name === 'float' ? 32 : 64)
    default:
      return (value) => `"${String(read(value))}"`
  }
}

function floatJson(value: number, bits: 32 | 64): string {
  const text = floatText(value, bits)
  return Number.isFinite(value) && text !== '-0' ? canonicalDecimal(text) : `"${text}"`
}

function mapJson(type: CqlType & { readonly kind: 'map' }, spelled: boolean): JsonWriter {
  const ofValue = jsonOf(type.value, spelled)
  if (!isByName(type, spelled)) {
    const ofKey = jsonOf(type.key, spelled)
    return (value) =>
      `[${Array.from(value as Map<unknown, unknown>, ([key, one]) => `[${ofKey(key)},${ofValue(one)}]`).join(',')}]`
  }
  const name = nameOf(type.key as CqlType & { kind: 'simple' }, spelled)
  return (value) => {
    const members = Array.from(value as Map<unknown, unknown>, ([key, one]) => [name(key), ofValue(one)] as const)
    members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${members.map(([key, one]) => `${JSON.stringify(key)}:${one}`).join(',')}}`
  }
}

/** Writes the key of a map as the name of a JSON member. */
function nameOf({ name }: CqlType & { readonly kind: 'simple' }, spelled: boolean): (key: unknown) => string {
  if (name === 'text' || name === 'ascii') return validText
  const json = scalarJson(name, spelled)
  return (key) => {
    const text = json(key)
    return text.startsWith('"') ? text.slice(1, -1) : text
  }
}

/**
 * A value written before a field was added to its type lacks this field: it becomes null, except between Cassandra
 * systems.
 */
function tupleJson(parts: readonly CqlType[], spelled: boolean): JsonWriter {
  const writers = parts.map((part) => jsonOf(part, spelled))
  return (value) => {
    const { elements } = value as cassandra.types.Tuple
    const texts: string[] = []
    for (const [at, write] of writers.entries()) {
      if (spelled && elements[at] === undefined) break
      texts.push(write(elements[at]))
    }
    return `[${texts.join(',')}]`
  }
}

function udtJson(fields: readonly CqlField[], spelled: boolean): JsonWriter {
  const writers = fields
    .map(({ name, type }) => ({ name, label: JSON.stringify(name), write: jsonOf(type, spelled) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return (value) => {
    const record = value as Readonly<Record<string, unknown>>
    const texts: string[] = []
    for (const { name, label, write } of writers) {
      const field = record[name]
      if (field !== undefined || !spelled) texts.push(`${label}:${write(field)}`)
    }
    return `{${texts.join(',')}}`
  }
}

export function unknownFields(name: string): SluiceError {
  return new SluiceError('UNSUPPORTED_TYPE', `the fields of the type ${name} are unknown`, {
    hint: 'create the type in the keyspace of the table, or exclude the column with --columns',
  })
}
