/** Reads a deletion vector from where the log says. */
import type { DeletionVectorDescriptor } from '../../src/delta/actions.ts'
import { deletionVectorPath, readVectorAt, type DeletionVector } from '../../src/delta/deletion-vector.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'

export async function readDeletionVector(
  store: LogStore,
  dv: DeletionVectorDescriptor,
  signal: AbortSignal,
): Promise<DeletionVector> {
  const path = deletionVectorPath(dv, store.root)
  return await readVectorAt(path === null ? null : { store, path }, dv, signal)
}
