/**
 * Maps physical column names to logical names: with column mapping, values and statistics of files have physical names.
 */
import { schemaOf, type StructType } from '../../../delta/schema.ts'
import type { PartitionRow } from '../../../model/lake/answers.ts'
import type { DeclaredTable } from './describe.ts'

type Values = PartitionRow['values']

export type LogicalNames = {
  values(values: Values): Values
  /** Statistics with logical names as keys; every number keeps its text. */
  stats(text: string): string
}

/** @returns null if both names are the same for all columns */
export function logicalNames({
  protocol,
  metadata,
}: Pick<DeclaredTable, 'protocol' | 'metadata'>): LogicalNames | null {
  if (protocol === null || metadata === null) return null
  const schema = schemaOf(protocol, metadata)
  if (!isMapped(schema)) return null
  const names = new Map(schema.fields.map(({ physicalName, name }) => [physicalName, name]))
  return {
    values: (values) =>
      Object.fromEntries(Object.entries(values).map(([key, value]) => [names.get(key) ?? key, value])),
    stats: (text) => renamed(text, schema),
  }
}

const isMapped = ({ fields }: StructType): boolean =>
  fields.some(({ name, physicalName, type }) => name !== physicalName || (type.kind === 'struct' && isMapped(type)))

/** Objects of statistics whose keys are columns. */
const BY_COLUMN: ReadonlySet<string> = new Set(['minValues', 'maxValues', 'nullCount'])
/** Matches strings (with the colon after them if they are keys) and the braces of objects. */
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}]/g

function renamed(text: string, schema: StructType): string {
  // Open objects; null if their keys are not columns.
  const open: (StructType | null)[] = []
  let inside: StructType | null = null
  return text.replace(TOKENS, (token: string, quoted: string | undefined, colon: string | undefined) => {
    if (token === '{') {
      open.push(inside)
      inside = null
      return token
    }
    if (token === '}') {
      open.pop()
      return token
    }
    if (quoted === undefined || colon === undefined) return token
    const key = JSON.parse(quoted) as string
    if (open.length === 1) {
      inside = BY_COLUMN.has(key) ? schema : null
      return token
    }
    const field = open.at(-1)?.fields.find(({ physicalName }) => physicalName === key)
    inside = field?.type.kind === 'struct' ? field.type : null
    return field === undefined ? token : `${JSON.stringify(field.name)}${colon}`
  })
}
