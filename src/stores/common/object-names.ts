/** Errors, common to all stores, for indexes and constraints that a store cannot create. */
import type { SchemaObject } from '../../model/copy/schema-object.ts'
import { SluiceError, type ErrorDetails } from '../../shared/errors.ts'

export function objectFailed(object: SchemaObject, message: string, details: ErrorDetails = {}): SluiceError {
  return new SluiceError('OBJECTS_FAILED', message, {
    hint: `remove the cause, then run the same command again to create ${object.name}; the rows are already in the target`,
    ...details,
  })
}

/**
 * Maps a server's error about an object that it does not create. Temporary errors, and errors about other objects, are
 * only mapped by `named`.
 * @param named maps an error of the driver
 */
export function asObjectError(thrown: unknown, object: SchemaObject, named: (thrown: unknown) => unknown): unknown {
  if (thrown instanceof SluiceError && thrown.code === 'OBJECTS_FAILED') return thrown
  const error = named(thrown)
  if (!(error instanceof SluiceError)) return error
  if (error.code !== 'ROW_REFUSED' && error.code !== 'TABLE_REFUSED') return error
  const { message, where, reason } = error
  return objectFailed(object, message, { where, reason, cause: error })
}

/** Cuts a name to this number of bytes, without splitting a character. */
export function shortened(name: string, bytes: number): string {
  if (Buffer.byteLength(name) <= bytes) return name
  let short = ''
  for (const char of name) {
    if (Buffer.byteLength(short + char) > bytes) break
    short += char
  }
  return short
}
