/** Name of a table as listed on the Tables screen, used on all screens. */
import { clean } from '../../render/screen-text.ts'

/** @param table name or path as in the events of a run @param lake the open lake */
export function shownTableName(table: string, lake: string | null): string {
  const root = lake === null ? null : `${lake.replace(/\/+$/, '')}/`
  return clean(root !== null && table.length > root.length && table.startsWith(root) ? table.slice(root.length) : table)
}
