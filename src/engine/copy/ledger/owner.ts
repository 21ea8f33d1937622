/** Who works on a copy, on which table, and for how long it is his. */

/** How long a chunk belongs to an owner of whom nothing is heard, in milliseconds. */
export const LEASE_MS = 30_000

/** Which live copy a chunk belongs to: one table of the target. */
export type TableKey = { readonly schema: string; readonly name: string }

export type Owner = {
  /** Of this program, and of no other. */
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly runId: bigint
}
