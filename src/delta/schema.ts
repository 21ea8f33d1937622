/** A table's schema as a typed tree (PROTOCOL.md, "Schema Serialization Format", "Column Mapping", "Type Widening"). */
import { isNestedDeeper, MOST_NESTED_SCHEMA } from '../model/lake/json-nesting.ts'
import { SluiceError } from '../shared/errors.ts'
import type { MetadataAction, ProtocolAction } from './actions.ts'
import { isObject } from './action-fields.ts'

const PRIMITIVES = [
  'byte',
  'short',
  'integer',
  'long',
  'float',
  'double',
  'string',
  'binary',
  'boolean',
  'date',
  'timestamp',
  'timestamp_ntz',
  'variant',
  'void',
] as const

export type PrimitiveName = (typeof PRIMITIVES)[number]

export type StructType = { readonly kind: 'struct'; readonly fields: readonly Field[] }

export type DeltaType =
  | { readonly kind: 'primitive'; readonly name: PrimitiveName }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'array'; readonly element: DeltaType; readonly containsNull: boolean }
  | {
      readonly kind: 'map'
      readonly key: DeltaType
      readonly value: DeltaType
      readonly valueContainsNull: boolean
    }
  | StructType
  /** A primitive type that this reader does not know, kept as written. */
  | { readonly kind: 'unknown'; readonly name: string }

/** One widening of a column's type. `fieldPath` points into arrays and maps (`element`, `key.element`). */
export type TypeChange = { readonly from: DeltaType; readonly to: DeltaType; readonly fieldPath: string | null }

export type Field = {
  readonly name: string
  /** Name in data files, stats and partition values; the logical name without column mapping. */
  readonly physicalName: string
  /** Column mapping id. */
  readonly id: number | null
  readonly type: DeltaType
  readonly nullable: boolean
  /** Use only for display: large numbers are rounded. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly typeChanges: readonly TypeChange[]
}

export type ColumnMappingMode = 'none' | 'id' | 'name'

/** A column that is not a struct, at any depth of structs. */
export type LeafColumn = {
  readonly path: readonly string[]
  readonly physicalPath: readonly string[]
  readonly type: DeltaType
  readonly field: Field
}

const PRIMITIVE_NAMES: ReadonlySet<string> = new Set(PRIMITIVES)
const DECIMAL = /^decimal(?:\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\))?$/
const MAX_DEPTH = 500

type Json = Readonly<Record<string, unknown>>

function bad(reason: string, cause?: unknown): SluiceError {
  return new SluiceError('BAD_SCHEMA', 'The schema of the table cannot be read', {
    reason,
    hint: 'Check schemaString in the metaData action of the log',
    cause,
  })
}

function isPrimitive(name: string): name is PrimitiveName {
  return PRIMITIVE_NAMES.has(name)
}

function namedType(name: string): DeltaType {
  if (isPrimitive(name)) return { kind: 'primitive', name }
  const decimal = DECIMAL.exec(name)
  // A bare `decimal` is Spark's decimal(10,0).
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1] ?? 10), scale: Number(decimal[2] ?? 0) }
  return { kind: 'unknown', name }
}

function parseTypeChanges(metadata: Json, where: string): readonly TypeChange[] {
  const changes = metadata['delta.typeChanges']
  if (!Array.isArray(changes)) return []
  return changes.map((change: unknown) => {
    if (!isObject(change) || typeof change['fromType'] !== 'string' || typeof change['toType'] !== 'string') {
      throw bad(`a type change of ${where} lacks fromType or toType`)
    }
    const fieldPath = typeof change['fieldPath'] === 'string' ? change['fieldPath'] : null
    return { from: namedType(change['fromType']), to: namedType(change['toType']), fieldPath }
  })
}

function parseField(value: unknown, mapping: ColumnMappingMode, parent: string, depth: number): Field {
  if (!isObject(value) || typeof value['name'] !== 'string') throw bad(`a field of ${parent} has no name`)
  const name = value['name']
  if (!name.isWellFormed()) throw bad(`the name of the field ${JSON.stringify(name)} contains an unpaired surrogate`)
  const where = parent === 'the table' ? `"${name}"` : `"${name}" in ${parent}`
  const metadata = isObject(value['metadata']) ? value['metadata'] : {}
  const id = metadata['delta.columnMapping.id']
  const physicalName = metadata['delta.columnMapping.physicalName']
  return {
    name,
    physicalName: mapping !== 'none' && typeof physicalName === 'string' ? physicalName : name,
    id: mapping !== 'none' && typeof id === 'number' ? id : null,
    type: parseType(value['type'], mapping, where, depth),
    nullable: value['nullable'] !== false,
    metadata,
    typeChanges: parseTypeChanges(metadata, where),
  }
}

function parseType(value: unknown, mapping: ColumnMappingMode, where: string, depth: number): DeltaType {
  if (typeof value === 'string') return namedType(value)
  if (!isObject(value)) throw bad(`the type of ${where} is missing or not a type`)
  if (depth > MAX_DEPTH) throw bad(`the types are nested more than ${MAX_DEPTH} deep`)
  const inner = depth + 1
  switch (value['type']) {
    case 'struct': {
      const fields: unknown = value['fields']
      if (!Array.isArray(fields)) throw bad(`the struct of ${where} has no fields`)
      return { kind: 'struct', fields: fields.map((field: unknown) => parseField(field, mapping, where, inner)) }
    }
    case 'array':
      return {
        kind: 'array',
        element: parseType(value['elementType'], mapping, `the elements of ${where}`, inner),
        containsNull: value['containsNull'] !== false,
      }
    case 'map':
      return {
        kind: 'map',
        key: parseType(value['keyType'], mapping, `the keys of ${where}`, inner),
        value: parseType(value['valueType'], mapping, `the values of ${where}`, inner),
        valueContainsNull: value['valueContainsNull'] !== false,
      }
    // Spark's user-defined types are stored and read as their `sqlType`.
    case 'udt':
      return parseType(value['sqlType'], mapping, where, inner)
    default:
      throw bad(`the type of ${where} is "${String(value['type'])}"`)
  }
}

/**
 * Parses `schemaString`; without it the table has no columns. Unknown primitive types become `unknown`, which is no
 * error.
 * @param mapping decides whether physical names and ids are used; see `columnMappingMode`
 * @throws SluiceError BAD_SCHEMA
 */
export function parseSchema(schemaString: string | null | undefined, mapping: ColumnMappingMode = 'none'): StructType {
  // Metadata written by Delta's own tests may lack the schema; Spark then reads a table without columns.
  if (schemaString === null || schemaString === undefined) return { kind: 'struct', fields: [] }
  let value: unknown
  try {
    value = JSON.parse(schemaString)
  } catch (error) {
    throw bad('schemaString is not JSON', error)
  }
  // The metadata of a field may be any JSON, and recursive code displays and compares it.
  if (isNestedDeeper(value)) throw bad(`schemaString is nested more than ${MOST_NESTED_SCHEMA} deep`)
  const type = parseType(value, mapping, 'the table', 0)
  if (type.kind !== 'struct') throw bad(`the table's type is ${typeText(type)}, not a struct`)
  return type
}

/** The active mode: the property is ignored if the protocol lacks the feature. */
export function columnMappingMode(
  protocol: Pick<ProtocolAction, 'minReaderVersion' | 'readerFeatures'>,
  metadata: Pick<MetadataAction, 'configuration'>,
): ColumnMappingMode {
  const isSupported =
    protocol.minReaderVersion === 2 ||
    (protocol.minReaderVersion >= 3 && (protocol.readerFeatures ?? []).includes('columnMapping'))
  const mode = metadata.configuration?.['delta.columnMapping.mode']?.toLowerCase()
  return isSupported && (mode === 'id' || mode === 'name') ? mode : 'none'
}

/** `parseSchema` for the protocol and metaData of one version. @throws SluiceError BAD_SCHEMA */
export function schemaOf(
  protocol: Pick<ProtocolAction, 'minReaderVersion' | 'readerFeatures'>,
  metadata: Pick<MetadataAction, 'configuration'> & { readonly schemaString?: string | null },
): StructType {
  return parseSchema(metadata.schemaString, columnMappingMode(protocol, metadata))
}

/** The columns that can have stats, in schema order: fields of structs are included, arrays and maps are leaves. */
export function leafColumns(schema: StructType): readonly LeafColumn[] {
  const leaves: LeafColumn[] = []
  const walk = (struct: StructType, path: readonly string[], physicalPath: readonly string[]): void => {
    for (const field of struct.fields) {
      const names = [...path, field.name]
      const physical = [...physicalPath, field.physicalName]
      if (field.type.kind === 'struct') walk(field.type, names, physical)
      else leaves.push({ path: names, physicalPath: physical, type: field.type, field })
    }
  }
  walk(schema, [], [])
  return leaves
}

/** A type in readable form: `decimal(10,2)`, `array<string>`, `struct<a: long, b: string>`. */
export function typeText(type: DeltaType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'array':
      return `array<${typeText(type.element)}>`
    case 'map':
      return `map<${typeText(type.key)}, ${typeText(type.value)}>`
    case 'struct':
      return `struct<${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(', ')}>`
    default:
      return type.name
  }
}
