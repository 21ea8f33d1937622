/**
 * Checks that footer fields have the types of Apache Parquet's `parquet.thrift`. This is needed because each reader
 * ignores some wrong types.
 */
import { Thrift, type Value } from '../../shared/thrift.ts'

type Kind = 'number' | 'bytes' | 'list' | 'struct'
type Shape = {
  readonly name: string
  readonly fields: Readonly<Record<number, Kind>>
  /** Shapes of structs by field number; the field has one struct, or a list of them. */
  readonly inner: Readonly<Record<number, Shape>>
  /** Type numbers of the elements of lists. DuckDB ignores them, other readers refuse the file. */
  readonly elements?: Readonly<Record<number, number>>
}

const [I32, BINARY, STRUCT] = [5, 8, 12]

const numbers = (...ids: readonly number[]): Readonly<Record<number, Kind>> =>
  Object.fromEntries(ids.map((id) => [id, 'number' as const]))

const DECIMAL: Shape = { name: 'decimal type', fields: numbers(1, 2), inner: {} }
const TIME: Shape = { name: 'time type', fields: { ...numbers(1), 2: 'struct' }, inner: {} }
const INTEGER: Shape = { name: 'integer type', fields: numbers(1, 2), inner: {} }
const LOGICAL: Shape = {
  name: 'logical type',
  fields: Object.fromEntries(Array.from({ length: 18 }, (_, i) => [i + 1, 'struct' as const])),
  inner: { 5: DECIMAL, 7: TIME, 8: TIME, 10: INTEGER },
}
const SCHEMA: Shape = {
  name: 'column of the schema',
  fields: { ...numbers(1, 2, 3, 5, 6, 7, 8, 9), 4: 'bytes', 10: 'struct' },
  inner: { 10: LOGICAL },
}
const STATISTICS: Shape = {
  name: 'statistic',
  fields: { ...numbers(3, 4, 7, 8), 1: 'bytes', 2: 'bytes', 5: 'bytes', 6: 'bytes' },
  inner: {},
}
const COLUMN: Shape = {
  name: 'column of a row group',
  fields: { ...numbers(1, 4, 5, 6, 7, 9, 10, 11, 14, 15), 2: 'list', 3: 'list', 8: 'list', 12: 'struct', 13: 'list' },
  inner: { 12: STATISTICS },
  elements: { 2: I32, 3: BINARY, 8: STRUCT, 13: STRUCT },
}
const CHUNK: Shape = {
  name: 'column chunk',
  fields: { ...numbers(2, 4, 5, 6, 7), 1: 'bytes', 3: 'struct', 8: 'struct', 9: 'bytes' },
  inner: { 3: COLUMN },
}
const GROUP: Shape = {
  name: 'row group',
  fields: { ...numbers(2, 3, 5, 6, 7), 1: 'list', 4: 'list' },
  inner: { 1: CHUNK },
  elements: { 1: STRUCT, 4: STRUCT },
}
const FOOTER: Shape = {
  name: 'footer',
  fields: { ...numbers(1, 3), 2: 'list', 4: 'list', 5: 'list', 6: 'bytes', 7: 'list', 8: 'struct', 9: 'bytes' },
  inner: { 2: SCHEMA, 4: GROUP },
  elements: { 2: STRUCT, 4: STRUCT, 5: STRUCT, 7: STRUCT },
}
const ENCRYPTION = 8

function kindOf(value: Value): Kind {
  if (typeof value === 'number') return 'number'
  if (Buffer.isBuffer(value)) return 'bytes'
  return value instanceof Map ? 'struct' : 'list'
}

/** What is wrong with a struct; null if nothing is. Unknown fields are no fault: newer versions may have added them. */
function faultIn(value: Value, shape: Shape, thrift: Thrift): string | null {
  if (!(value instanceof Map)) return `a ${shape.name} is not a struct`
  if (shape === LOGICAL && value.size !== 1) return `a ${shape.name} has ${value.size} values instead of one`
  for (const [id, field] of value as ReadonlyMap<number, Value>) {
    const wanted = shape.fields[id]
    if (wanted !== undefined && kindOf(field) !== wanted) return `field ${id} of a ${shape.name} is a ${kindOf(field)}`
    const element = shape.elements?.[id]
    const found = Array.isArray(field) && field.length > 0 ? thrift.elementOf(field) : undefined
    if (element !== undefined && found !== undefined && found !== element)
      return `the list in field ${id} of a ${shape.name} has elements of type ${found}, not ${element}`
    const inner = shape.inner[id]
    if (inner === undefined) continue
    for (const one of wanted === 'list' ? (field as readonly Value[]) : [field]) {
      const fault = faultIn(one, inner, thrift)
      if (fault !== null) return fault
    }
  }
  return null
}

/** What is wrong with the bytes of a footer, as a clause; null if nothing is. */
export function footerShapeFault(footer: Buffer): string | null {
  try {
    const thrift = new Thrift(footer)
    const fields = thrift.struct(0)
    const fault = faultIn(fields, FOOTER, thrift)
    if (fault !== null) return `in its footer ${fault}`
    // The footer of an encrypted file is followed by its signature.
    const isWhole = thrift.at === footer.length || fields.has(ENCRYPTION)
    return isWhole ? null : `its footer ends after ${thrift.at} of ${footer.length} bytes`
  } catch (error) {
    return `its footer cannot be read: ${error instanceof Error ? error.message : String(error)}`
  }
}
