/** Resolves column names in conditions. */
import { predicateError, renderColumn, type ColumnRef } from '../model/lake/predicate.ts'
import { leafColumns, typeText, type Field, type LeafColumn, type StructType } from './schema.ts'
import { firstOf } from '../shared/first-of.ts'

const NAMED_AT_MOST = 3
/** Maximum number of columns that a message lists: enough for nearly every table, but not thousands of names. */
const LISTED_AT_MOST = 400

/** The field with this exact name; otherwise the only field whose name differs only in case, as in Spark. */
function fieldNamed(struct: StructType, name: string): Field | undefined {
  const exact = struct.fields.find((field) => field.name === name)
  if (exact) return exact
  const lower = name.toLowerCase()
  const alike = struct.fields.filter((field) => field.name.toLowerCase() === lower)
  return alike.length === 1 ? alike[0] : undefined
}

/** Number of insertions, deletions, replacements and swaps of neighbours that turn one text into the other. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + same)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) cost = Math.min(cost, (before[j - 2] ?? 0) + 1)
      current.push(cost)
    }
    before = previous
    previous = current
  }
  return previous[b.length] ?? 0
}

function nearMatches(schema: StructType, wanted: string): readonly string[] {
  const lower = wanted.toLowerCase()
  const reach = Math.max(1, Math.floor(lower.length / 3))
  return leafColumns(schema)
    .map(({ path }) => {
      const full = renderColumn({ names: path }).toLowerCase()
      const last = (path.at(-1) ?? '').toLowerCase()
      return { path, distance: Math.min(editDistance(lower, full), editDistance(lower, last)) }
    })
    .filter(({ distance }) => distance <= reach)
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, NAMED_AT_MOST)
    .map(({ path }) => renderColumn({ names: path }))
}

function unknownColumn(text: string, column: ColumnRef, schema: StructType): Error {
  const name = renderColumn(column)
  const near = nearMatches(schema, column.names.join('.'))
  const meant = near.length === 0 ? '' : `Did you mean ${near.join(' or ')}? `
  const all = schema.fields.map((field) => renderColumn({ names: [field.name] }))
  const listed = all.length === 0 ? 'The table has no columns' : `Columns: ${firstOf(all, LISTED_AT_MOST)}`
  return predicateError(text, column.at, `unknown column ${name}`, meant + listed)
}

/**
 * The column of the schema that a condition names, at any depth of structs.
 * @param text the whole condition, for the message
 * @throws SluiceError BAD_PREDICATE with similar names if there is no such column
 */
export function resolveColumn(text: string, column: ColumnRef, schema: StructType): LeafColumn {
  let struct = schema
  const path: string[] = []
  const physicalPath: string[] = []
  for (const [i, name] of column.names.entries()) {
    const field = fieldNamed(struct, name)
    if (!field) {
      // A dot may be part of a name: `a.b` may also mean the column "a.b".
      if (i === 0 && column.names.length > 1) {
        const dotted = fieldNamed(schema, column.names.join('.'))
        if (dotted)
          return { path: [dotted.name], physicalPath: [dotted.physicalName], type: dotted.type, field: dotted }
      }
      throw unknownColumn(text, column, schema)
    }
    path.push(field.name)
    physicalPath.push(field.physicalName)
    if (i === column.names.length - 1) return { path, physicalPath, type: field.type, field }
    if (field.type.kind !== 'struct') {
      const type = typeText(field.type)
      throw predicateError(text, column.at, `column ${renderColumn({ names: path })} is ${type} and has no fields`)
    }
    struct = field.type
  }
  throw unknownColumn(text, column, schema)
}
