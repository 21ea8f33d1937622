/** Checks that a data file fits the schema (PROTOCOL.md, "Column Mapping", "Type Widening", "Reader Requirements"). */
import type { FooterField } from '../../model/lake/parquet-footers.ts'
import type { ColumnMappingMode, DeltaType, Field, LeafColumn, StructType, TypeChange } from '../schema.ts'
import { typeText } from '../schema.ts'

/** A column of the file that readers cannot read as the column of the table. */
export type ColumnMisfit = { readonly column: string; readonly table: string; readonly file: string }

/** A missing column of the table and an unknown one of the file: probably one column under a wrong name. */
export type NamePair = { readonly column: string; readonly unknown: string }

export type SchemaFit = {
  readonly misfits: readonly ColumnMisfit[]
  readonly renamed: readonly NamePair[]
  /** Columns that occur twice in the file. */
  readonly doubled: readonly string[]
  /** Number of the table's columns in the file; 1 if all are partition columns. Old files lack columns added later. */
  readonly present: number
  /** Leaf of the file for a column with statistics; null if the file does not have it. */
  readonly leafOf: (column: LeafColumn) => { readonly field: FooterField; readonly names: readonly string[] } | null
}

const DECIMAL = /^DECIMAL\((\d+),\s*(\d+)\)$/
const ZONED = 'TIMESTAMP WITH TIME ZONE'
/** DuckDB's names of the types in which writers store each Delta type. */
const STORED: Readonly<Record<string, readonly string[]>> = {
  byte: ['TINYINT'],
  short: ['SMALLINT'],
  integer: ['INTEGER'],
  long: ['BIGINT'],
  float: ['FLOAT'],
  double: ['DOUBLE'],
  boolean: ['BOOLEAN'],
  string: ['VARCHAR', 'JSON', 'UUID', 'ENUM'],
  binary: ['BLOB'],
  date: ['DATE'],
  timestamp: [ZONED],
  timestamp_ntz: ['TIMESTAMP', 'TIMESTAMP_NS', 'TIMESTAMP_MS'],
}

type Found = { readonly misfits: ColumnMisfit[]; readonly renamed: NamePair[]; readonly doubled: string[] }

/**
 * @param partitionColumns logical names; their values come from the log, so columns of the file with these names are
 * not checked
 * @param limits `hidden`: columns of the table outside its schema, such as row ids; `writer`: name in the footer
 */
export function schemaFit(
  schema: StructType,
  partitionColumns: ReadonlySet<string>,
  mode: ColumnMappingMode,
  fields: readonly FooterField[],
  limits: { readonly hidden: ReadonlySet<string>; readonly writer: string | null },
): SchemaFit {
  const { hidden, writer } = limits
  // delta-rs wrote instants without marking them as UTC.
  const hasZoneless = writer?.startsWith('parquet-rs ') === true
  const into: Found = { misfits: [], renamed: [], doubled: [] }
  const inFile = schema.fields.filter(({ name }) => !partitionColumns.has(name))
  let present = 0
  for (const field of inFile) {
    const found = findField(field, fields, mode)
    if (found === null) continue
    present++
    compare(field.type, found, { path: [field.physicalName], mode, changes: field.typeChanges, hasZoneless, into })
  }
  inspectNames(schema.fields, inFile, fields, { path: [], mode, changes: [], hasZoneless, into }, hidden)
  return {
    ...into,
    present: inFile.length === 0 ? 1 : present,
    leafOf: (column) => leafAt(schema, column, fields, mode),
  }
}

/** Finds a column by id in mode `id`, otherwise by name. Some readers ignore case, so an exact match is preferred. */
function findField(field: Field, fields: readonly FooterField[], mode: ColumnMappingMode): FooterField | null {
  if (mode === 'id') return fields.find(({ id }) => id !== null && id === field.id) ?? null
  const { physicalName } = field
  const lower = physicalName.toLowerCase()
  return (
    fields.find(({ name }) => name === physicalName) ?? fields.find(({ name }) => name.toLowerCase() === lower) ?? null
  )
}

function leafAt(
  schema: StructType,
  column: LeafColumn,
  fields: readonly FooterField[],
  mode: ColumnMappingMode,
): { readonly field: FooterField; readonly names: readonly string[] } | null {
  let struct: DeltaType = schema
  let below = fields
  let found: FooterField | null = null
  const names: string[] = []
  for (const name of column.path) {
    if (struct.kind !== 'struct') return null
    const field: Field | undefined = struct.fields.find((one) => one.name === name)
    found = field === undefined ? null : findField(field, below, mode)
    if (field === undefined || found === null) return null
    names.push(found.name)
    struct = field.type
    below = found.fields
  }
  return found === null ? null : { field: found, names }
}

function fileText(field: FooterField): string {
  if (field.type !== null) return field.physical === 'INT96' ? 'INT96' : field.type
  return field.converted ?? `group of ${field.fields.map(({ name }) => name).join(', ')}`
}

type ComparedPosition = {
  readonly path: readonly string[]
  readonly mode: ColumnMappingMode
  readonly hasZoneless: boolean
  /** Type changes of the column whose type is compared. */
  readonly changes: readonly TypeChange[]
  readonly into: Found
}

/**
 * Reports columns that occur twice, and pairs of a missing and an unknown column. If no column is unknown, a missing
 * column was added later. If no column is missing, an unknown column is allowed. With mapped names columns may be
 * dropped and renamed, so the two columns of a pair must have the same id or name.
 * @param wanted the columns of `known` that the file should have
 */
function inspectNames(
  known: readonly Field[],
  wanted: readonly Field[],
  fields: readonly FooterField[],
  { path, mode, into }: ComparedPosition,
  hidden: ReadonlySet<string>,
): void {
  const names = new Set<string>()
  for (const { name } of fields) {
    if (names.has(name)) into.doubled.push([...path, name].join('.'))
    names.add(name)
  }
  const missing = wanted.filter((field) => findField(field, fields, mode) === null)
  if (missing.length === 0) return
  const taken = new Set(known.map((field) => findField(field, fields, mode)))
  const unknown = fields.filter((field) => !taken.has(field) && !hidden.has(field.name))
  for (const field of missing) {
    const other = unknown.find(
      ({ name, id }) =>
        mode === 'none' || (mode === 'id' ? name === field.physicalName : id !== null && id === field.id),
    )
    if (other !== undefined) {
      into.renamed.push({ column: [...path, field.physicalName].join('.'), unknown: [...path, other.name].join('.') })
    }
  }
}

function compare(type: DeltaType, found: FooterField, at: ComparedPosition): void {
  const { path, mode, into } = at
  const below = (name: string): ComparedPosition => ({ ...at, path: [...path, name] })
  const wrong = (): void => {
    into.misfits.push({ column: path.join('.'), table: typeText(type), file: fileText(found) })
  }
  switch (type.kind) {
    case 'struct':
      if (found.leaf !== null || found.converted === 'LIST' || found.converted === 'MAP') return wrong()
      for (const field of type.fields) {
        const inner = findField(field, found.fields, mode)
        if (inner !== null) compare(field.type, inner, { ...below(field.physicalName), changes: field.typeChanges })
      }
      inspectNames(type.fields, type.fields, found.fields, at, new Set())
      return
    case 'array': {
      const element = elementOf(found)
      return element === null ? wrong() : compare(type.element, element, below('element'))
    }
    case 'map': {
      const entry = found.fields[0]
      const [key, value] = entry?.fields ?? []
      if (found.leaf !== null || entry?.isRepeated !== true || key === undefined) return wrong()
      compare(type.key, key, below('key'))
      if (value !== undefined) compare(type.value, value, below('value'))
      return
    }
    case 'unknown':
      return
    default:
      if (type.kind === 'primitive' && (type.name === 'void' || type.name === 'variant')) {
        if (type.name === 'variant' && found.leaf !== null) wrong()
        return
      }
      if (
        found.leaf === null ||
        ![type, ...at.changes.map(({ from }) => from)].some((one) => leafFits(one, found, at.hasZoneless))
      )
        wrong()
  }
}

/** Element of a list, in the three-level form or the old two-level form (Parquet, "LogicalTypes", compatibility). */
function elementOf(list: FooterField): FooterField | null {
  // A repeated field that is not inside a list is a list itself.
  if (list.isRepeated && list.converted !== 'LIST') return { ...list, isRepeated: false }
  const repeated = list.fields[0]
  if (list.leaf !== null || repeated === undefined || !repeated.isRepeated) return null
  const isElement =
    repeated.leaf !== null ||
    repeated.fields.length !== 1 ||
    repeated.name === 'array' ||
    repeated.name === `${list.name}_tuple`
  return isElement ? { ...repeated, isRepeated: false } : (repeated.fields[0] ?? null)
}

/** True if writers use the leaf's type for this Delta type. The caller also tries the types before a widening. */
function leafFits(type: DeltaType, { type: name, physical, isRepeated }: FooterField, hasZoneless: boolean): boolean {
  if (name === null || isRepeated) return false
  if (type.kind === 'decimal') {
    const decimal = DECIMAL.exec(name)
    return decimal !== null && Number(decimal[1]) === type.precision && Number(decimal[2]) === type.scale
  }
  if (type.kind !== 'primitive') return true
  // Spark's old instants (INT96) have neither a unit nor a zone.
  if (physical === 'INT96') return type.name === 'timestamp' || type.name === 'timestamp_ntz'
  if (type.name === 'timestamp' && name === 'TIMESTAMP') return hasZoneless
  return STORED[type.name]?.includes(name) ?? true
}
