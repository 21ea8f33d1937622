/** Which columns tell the rows of a table apart. */
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import type { Shape } from './shape.ts'

/** The primary key, or else the smallest unique index, those without NULLs first. */
export function keyOf(
  { alias, columns: infos, indexes }: Shape,
  columns: readonly Column[],
): Pick<TableSpec, 'key' | 'primary'> {
  if (alias !== null) return { key: [alias], primary: true }
  const byName = new Map(columns.map((column) => [column.name, column]))
  const usable = indexes.filter(({ names, collations }) =>
    names.every((name, i) => {
      const column = byName.get(name)
      if (column === undefined || column.generated === true || column.type.kind === 'float') return false
      // Under another collation than the column's own, equal keys could be two.
      return (column.collation ?? 'BINARY') === collations[i]
    }),
  )
  if (usable.some(({ origin }) => origin === 'pk')) {
    const primary = infos.filter((column) => column.primary > 0).toSorted((a, b) => a.primary - b.primary)
    return { key: primary.map(({ name }) => name), primary: true }
  }
  const nulls = (names: readonly string[]): number =>
    names.some((name) => byName.get(name)?.nullable !== false) ? 1 : 0
  const [best] = usable.toSorted((a, b) => nulls(a.names) - nulls(b.names) || a.names.length - b.names.length)
  return best === undefined ? { key: [], primary: false } : { key: best.names, primary: false }
}
