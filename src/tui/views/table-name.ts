/** A table has one name on all screens: the one under which the Tables screen lists it. */
import { clean } from '../../render/screen-text.ts'

/** @param table as a run names it, a path too @param lake that is open */
export function tableName(table: string, lake: string | null): string {
  const root = lake === null ? null : `${lake.replace(/\/+$/, '')}/`
  return clean(root !== null && table.length > root.length && table.startsWith(root) ? table.slice(root.length) : table)
}
