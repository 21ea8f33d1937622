/** Which state of a table is meant: a version, or the latest at a moment; the latest of all where neither is given. */
export type AsOf = { readonly version?: number; readonly timestampMs?: number }
