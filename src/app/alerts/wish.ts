/** What is asked for of alerts: a field of the operation, or of what a copy is asked to follow. */
import type { AlertWish } from '../../model/run/alert.ts'
import type { Operation } from '../operations/list.ts'

export function alertWishOf(operation: Operation): AlertWish | undefined {
  if ('alert' in operation && operation.alert !== undefined) return operation.alert
  return operation.kind === 'copy' ? operation.follow?.alert : undefined
}
