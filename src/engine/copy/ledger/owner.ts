/** Who works on a copy, on which table, and for how long it is his. */
import type { TableName } from '../../../model/copy/table-name.ts'
import type { Owner as AnyOwner } from '../../../shared/owner.ts'

/**
 * How long a chunk, a plan and a run belong to an owner of whom nothing is heard, in milliseconds. Half of a catalog's lease: a chunk is small, and whoever takes
 * one over ends the session of its old owner first.
 */
export const LEASE_MS = 30_000

/** Which live copy a chunk belongs to: one table of the target. */
export type TableKey = { readonly schema: string; readonly name: string }

/** Of a table of the target; one without a schema has an empty one. */
export function tableKeyOf({ schema = '', name }: TableName): TableKey {
  return { schema, name }
}

export type Owner = AnyOwner & { readonly runId: bigint }
