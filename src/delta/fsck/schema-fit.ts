/** Whether the columns of a data file fit the schema of a table (PROTOCOL.md, "Column Mapping", "Type Widening", "Reader Requirements"). */
import type { FooterField } from '../../model/parquet-footers.ts'
import type { ColumnMappingMode, DeltaType, Field, LeafColumn, StructType } from '../schema.ts'
import { typeText } from '../schema.ts'

/** A column of the file that readers cannot take for the column of the table. */
export type Misfit = { readonly column: string; readonly table: string; readonly file: string }

export type Fit = {
  readonly misfits: readonly Misfit[]
  /** Columns of the table that the file has; those added later are absent from older files. */
  readonly present: number
  /** Leaf of the file for each column with statistics; null where the file has not got it. */
  readonly leafOf: (column: LeafColumn) => { readonly field: FooterField; readonly names: readonly string[] } | null
}

const INTEGERS: ReadonlySet<string> = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'UTINYINT', 'USMALLINT'])
const DECIMAL = /^DECIMAL\((\d+),\s*(\d+)\)$/
const TIMESTAMP = /^TIMESTAMP/
const TEXTS: ReadonlySet<string> = new Set(['VARCHAR', 'BLOB', 'JSON', 'UUID', 'ENUM', 'BIT'])
/** Digits before the point that a decimal needs for every value of an integer type. */
const INTEGER_DIGITS: Readonly<Record<string, number>> = { TINYINT: 3, SMALLINT: 5, INTEGER: 10, BIGINT: 20 }

/** @param partitionColumns logical names; their values come from the log, so a file may hold anything under their names */
export function fitOf(
  schema: StructType,
  partitionColumns: ReadonlySet<string>,
  mode: ColumnMappingMode,
  fields: readonly FooterField[],
): Fit {
  const misfits: Misfit[] = []
  const inFile = schema.fields.filter(({ name }) => !partitionColumns.has(name))
  let present = 0
  for (const field of inFile) {
    const found = findField(field, fields, mode)
    if (found === null) continue
    present++
    compare(field.type, found, [field.physicalName], mode, misfits)
  }
  return {
    misfits,
    present: inFile.length === 0 ? 1 : present,
    leafOf: (column) => leafAt(schema, column, fields, mode),
  }
}

/** By id in mode `id`, else by name; readers of names differ in case, so an exact one comes first. */
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

function compare(
  type: DeltaType,
  found: FooterField,
  path: readonly string[],
  mode: ColumnMappingMode,
  misfits: Misfit[],
): void {
  const wrong = (): void => {
    misfits.push({ column: path.join('.'), table: typeText(type), file: fileText(found) })
  }
  switch (type.kind) {
    case 'struct':
      if (found.leaf !== null || found.converted === 'LIST' || found.converted === 'MAP') return wrong()
      for (const field of type.fields) {
        const inner = findField(field, found.fields, mode)
        if (inner !== null) compare(field.type, inner, [...path, field.physicalName], mode, misfits)
      }
      return
    case 'array': {
      const element = elementOf(found)
      return element === null ? wrong() : compare(type.element, element, [...path, 'element'], mode, misfits)
    }
    case 'map': {
      const entry = found.fields[0]
      const [key, value] = entry?.fields ?? []
      if (found.leaf !== null || entry?.isRepeated !== true || key === undefined) return wrong()
      compare(type.key, key, [...path, 'key'], mode, misfits)
      if (value !== undefined) compare(type.value, value, [...path, 'value'], mode, misfits)
      return
    }
    case 'unknown':
      return
    default:
      if (type.kind === 'primitive' && (type.name === 'void' || type.name === 'variant')) {
        if (type.name === 'variant' && found.leaf !== null) wrong()
        return
      }
      if (found.leaf === null || !leafFits(type, found)) wrong()
  }
}

/** Element of a list, in the three layers of today and the two of old writers (Parquet, "LogicalTypes", backward compatibility). */
function elementOf(list: FooterField): FooterField | null {
  // A repeated field without a list around it is a list itself.
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

/** Whether readers take a leaf for the type: the type itself, or one that can be widened to it. */
function leafFits(type: DeltaType, { type: name, physical }: FooterField): boolean {
  if (name === null) return false
  const decimal = DECIMAL.exec(name)
  if (type.kind === 'decimal') {
    const digits = INTEGER_DIGITS[name]
    if (digits !== undefined) return type.precision - type.scale >= digits
    if (decimal === null) return false
    const [precision, scale] = [Number(decimal[1]), Number(decimal[2])]
    return type.scale >= scale && type.precision - type.scale >= precision - scale
  }
  if (type.kind !== 'primitive') return true
  switch (type.name) {
    case 'byte':
    case 'short':
    case 'integer':
      return INTEGERS.has(name)
    case 'long':
      return INTEGERS.has(name) || name === 'BIGINT' || name === 'UINTEGER'
    case 'float':
      return name === 'FLOAT' || name === 'TINYINT' || name === 'SMALLINT'
    case 'double':
      return name === 'DOUBLE' || name === 'FLOAT' || INTEGERS.has(name)
    case 'boolean':
      return name === 'BOOLEAN'
    case 'string':
    case 'binary':
      return TEXTS.has(name) || physical === 'BYTE_ARRAY' || physical === 'FIXED_LEN_BYTE_ARRAY'
    case 'date':
      return name === 'DATE'
    case 'timestamp':
      return TIMESTAMP.test(name)
    case 'timestamp_ntz':
      return TIMESTAMP.test(name) || name === 'DATE'
    default:
      return true
  }
}
