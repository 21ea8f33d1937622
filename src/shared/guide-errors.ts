/**
 * Errors that the user guide lists, with the guide's texts, for
 * `new SluiceError(...permissionDenied('TARGET_DENIED', { where }))`. A reason or hint in the details replaces the
 * guide's, unless noted; `more` is appended to the hint of the guide.
 */
import type { ErrorCode, ErrorDetails } from './errors.ts'

type GuideError = readonly [code: ErrorCode, message: string, details: ErrorDetails]

export function permissionDenied(code: 'SOURCE_DENIED' | 'TARGET_DENIED', details: ErrorDetails = {}): GuideError {
  const reason = 'File system or database permissions'
  return [code, 'Permission denied', { reason, hint: 'Verify user permissions on files and database', ...details }]
}

const NO_ROOM = 'Disk space exhausted'

/** True if a disk is full; false if a program has no memory left. */
export function isDiskExhausted({ code, message }: { readonly code: string; readonly message: string }): boolean {
  return code === 'NO_SPACE' && message === NO_ROOM
}

export function spaceExhausted(details: ErrorDetails = {}, more = ''): GuideError {
  const hint = `Free up disk space or use alternative storage${more}`
  return ['NO_SPACE', NO_ROOM, { reason: 'Insufficient storage', hint, ...details }]
}

const NOT_CONNECTED = 'Network or authentication issues'

/** @param details a more exact reason is put before the guide's reason; a hint is appended to the guide's hint */
export function connectionFailed({ reason, hint, ...details }: ErrorDetails = {}): GuideError {
  const check = 'Check database URL and credentials'
  return [
    'CONNECT_FAILED',
    'Database connection failed',
    {
      reason: reason === undefined ? NOT_CONNECTED : `${reason} (${NOT_CONNECTED})`,
      hint: hint === undefined ? check : `${check}: ${hint}`,
      ...details,
    },
  ]
}

/** A file, database, role or right of the URL does not exist; neither network nor password is the cause. */
export function databaseMissing(reason: string, hint: string, details: ErrorDetails = {}): GuideError {
  return ['CONNECT_FAILED', 'Database connection failed', { reason, hint, ...details }]
}
