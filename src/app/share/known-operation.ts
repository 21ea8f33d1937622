/** Operation of a queued run. */
import { OPERATIONS, type Operation } from '../operations/list.ts'

/** The operation; null if this version of the program has no operation of this kind. */
export function knownOperation(value: unknown): Operation | null {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null
  const { kind } = value
  return typeof kind === 'string' && Object.hasOwn(OPERATIONS, kind) ? (value as Operation) : null
}
