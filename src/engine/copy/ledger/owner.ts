/** Owners of a copy's chunks and tables, and how long their leases last. */
import type { TableName } from '../../../model/copy/table-name.ts'
import type { Owner } from '../../../shared/owner.ts'

/**
 * Duration of the lease of a chunk or a plan, ms. A run without a heartbeat for this time counts as killed. It is half
 * of a catalog's lease: a chunk is small, and a process that takes a chunk over first ends the session of the old
 * owner.
 */
export const COPY_LEASE_MS = 30_000

/** Key of the copy that a chunk belongs to: one table of the target. */
export type TableKey = { readonly schema: string; readonly name: string }

/** Key of a target table; the schema is empty if it has none. */
export function tableKeyOf({ schema = '', name }: TableName): TableKey {
  return { schema, name }
}

/** The table of a key. */
export function tableOfKey({ schema, name }: TableKey): TableName {
  return schema === '' ? { name } : { schema, name }
}

export type RunOwner = Owner & { readonly runId: bigint }
