/** Operation of a queued run. */
import { OPERATIONS, type Operation } from '../operations/list.ts'

/** Null for an operation that this program does not know. */
export function knownOperation(value: unknown): Operation | null {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null
  const { kind } = value
  return typeof kind === 'string' && Object.hasOwn(OPERATIONS, kind) ? (value as Operation) : null
}
