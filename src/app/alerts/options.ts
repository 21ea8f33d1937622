/** Alert options: a field of the operation, or of the replication options of a copy. */
import type { AlertOptions } from '../../model/run/alert.ts'
import type { Operation } from '../operations/list.ts'

export function alertOptionsOf(operation: Operation): AlertOptions | undefined {
  if ('alert' in operation && operation.alert !== undefined) return operation.alert
  return operation.kind === 'copy' ? operation.follow?.alert : undefined
}
