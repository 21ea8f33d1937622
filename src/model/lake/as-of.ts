/** Selects a snapshot of a table: a version, or the latest one at a timestamp. The latest one if both are absent. */
export type AsOf = { readonly version?: number; readonly timestampMs?: number }
