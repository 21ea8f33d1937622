/** What may be called proved. */
import type { CopyTable } from './copy-table.ts'

/** Whether a chunk that is closed has been compared with what stands in the target. */
export function isProved(table: CopyTable, checksum: { readonly target: string } | undefined): boolean {
  return table.provedByChunk && (checksum === undefined || checksum.target !== '')
}

/** Whether a table of blocks was proved as a whole when it ended well: its sums were added up and compared. */
export function isProvedAtEnd({ plan, key }: CopyTable): boolean {
  return plan !== null && key.length === 0 && plan.proof === 'canonical' && plan.onExisting === 'refuse'
}
