/** Selects a snapshot of a table: by version, or the latest at a timestamp; without either the latest. */
export type AsOf = { readonly version?: number; readonly timestampMs?: number }
