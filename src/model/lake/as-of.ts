/** Selects a snapshot of a table: a version, or the latest version at a timestamp. Without both, the latest version. */
export type AsOf = { readonly version?: number; readonly timestampMs?: number }
