/** The operation of a run in a queue, where this program knows it. */
import { OPERATIONS, type Operation } from '../operations/list.ts'

/** Null for one that only another program knows. */
export function knownOperation(value: unknown): Operation | null {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null
  const { kind } = value
  return typeof kind === 'string' && Object.hasOwn(OPERATIONS, kind) ? (value as Operation) : null
}
