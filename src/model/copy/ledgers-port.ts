/** Ledgers of other schemas in the same database. */
import type { TableName } from './column-type.ts'

/** @property isReadable true if this login may read its tables, and no policy hides rows */
export type LedgerPlace = { readonly schema: string; readonly isReadable: boolean }

export interface OtherLedgers<Store> {
  /**
   * Other schemas with ledgers of archives, or of copies and streams.
   * @param table only ledgers whose owner may archive or fill this table, or is trusted by this login; all ledgers if
   * it is null or does not exist
   */
  list(of: 'archive' | 'copy', table: TableName | null, signal: AbortSignal): Promise<readonly LedgerPlace[]>
  /** Opens the same database with the ledger of another schema. */
  open(schema: string): Promise<Store>
}
