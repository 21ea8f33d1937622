/** Ledgers of other schemas in the same database. */

/** @property isReadable true if this login may read its tables, and no policy hides rows */
export type LedgerPlace = { readonly schema: string; readonly isReadable: boolean }
