/** A referencing row as text. */
import { tableText, type TableName } from '../copy/column-type.ts'

type Referring = { readonly table: TableName; readonly columns: readonly string[] }

/** `public.photos.ride_id = 42`, or `public.photos (ride_id, day) = (42, 2024-01-01)`. */
export function referringText({ table, columns }: Referring, values: readonly string[]): string {
  const name = tableText(table)
  return columns.length === 1
    ? `${name}.${columns[0]} = ${values[0]}`
    : `${name} (${columns.join(', ')}) = (${values.join(', ')})`
}
