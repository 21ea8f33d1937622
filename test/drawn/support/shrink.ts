/** Reduces a failing table as long as it fails in the same way. */
import { withoutColumns, type DrawnTable } from './shape.ts'

/** Ways to reduce a table, the largest steps first. */
function* smaller(table: DrawnTable): Generator<DrawnTable> {
  const { columns, key, settings, alters = [], targetSettings = [] } = table
  const rows = columns[0]?.values.length ?? 0
  if (settings.length > 0) yield { ...table, settings: [] }
  if (targetSettings.length > 0) yield { ...table, targetSettings: [] }
  for (const [at] of targetSettings.entries()) if (targetSettings.length > 1) yield { ...table, targetSettings: targetSettings.filter((_, i) => i !== at) } // prettier-ignore
  if (alters.length > 0) yield { ...table, alters: [] }
  for (const [at] of alters.entries()) if (alters.length > 1) yield { ...table, alters: alters.filter((_, i) => i !== at) } // prettier-ignore
  for (const [at] of columns.entries()) if (columns.length > 1) yield withoutColumns(table, [at])
  for (let row = 0; row < rows; row++) if (rows > 1) yield { ...table, columns: columns.map((one) => ({ ...one, values: [one.values[row] ?? ''] })) } // prettier-ignore
  for (let row = 0; row < rows; row++) if (rows > 2) yield { ...table, columns: columns.map((one) => ({ ...one, values: one.values.filter((_, i) => i !== row) })) } // prettier-ignore
  if (key.length > 0) yield { ...table, key: [] }
  if (key.length > 1) for (const one of key) yield { ...table, key: [one] }
  for (const [at] of settings.entries())
    if (settings.length > 1) yield { ...table, settings: settings.filter((_, i) => i !== at) }
  if (table.options !== '') yield { ...table, options: '' }
  if (table.name !== 't') yield { ...table, name: 't' }
  for (const [at, { name }] of columns.entries())
    if (name !== `c${at}`)
      yield { ...table, columns: columns.map((one, i) => (i === at ? { ...one, name: `c${at}` } : one)) }
}

/**
 * The smallest table found within `limitMs` that still fails.
 * @param fails whether a smaller table fails as the first one did
 */
export async function shrink(
  table: DrawnTable,
  fails: (smaller: DrawnTable) => Promise<boolean>,
  limitMs: number,
): Promise<DrawnTable> {
  const end = Date.now() + limitMs
  let best = table
  for (;;) {
    let found: DrawnTable | undefined
    for (const one of smaller(best)) {
      if (Date.now() > end) return best
      if (!(await fails(one))) continue
      found = one
      break
    }
    if (found === undefined) return best
    best = found
  }
}
