/**
 * Failures that the guide names, in its words: what an error is made of, as in `new
 * SluiceError(...permissionDenied('TARGET_DENIED', { where }))`. A reason or hint among the details takes the place of
 * the guide's where nothing else is said; `more` goes on where the guide's hint ends.
 */
import type { ErrorCode, ErrorDetails } from './errors.ts'

type Said = readonly [code: ErrorCode, message: string, details: ErrorDetails]

export function permissionDenied(code: 'SOURCE_DENIED' | 'TARGET_DENIED', details: ErrorDetails = {}): Said {
  const reason = 'File system or database permissions'
  return [code, 'Permission denied', { reason, hint: 'Verify user permissions on files and database', ...details }]
}

const NO_ROOM = 'Disk space exhausted'

/** Whether a disk is full, and not the memory that a program was given. */
export function isDiskExhausted({ code, message }: { readonly code: string; readonly message: string }): boolean {
  return code === 'NO_SPACE' && message === NO_ROOM
}

export function spaceExhausted(details: ErrorDetails = {}, more = ''): Said {
  const hint = `Free up disk space or use alternative storage${more}`
  return ['NO_SPACE', NO_ROOM, { reason: 'Insufficient storage', hint, ...details }]
}

const NOT_CONNECTED = 'Network or authentication issues'

/**
 * @param details a reason says more exactly what the guide's words mean here, and stands before them; a hint goes on
 * where the guide's ends
 */
export function connectionFailed({ reason, hint, ...details }: ErrorDetails = {}): Said {
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

/** Something that the URL names is not there, a file, a database or a role: no network and no password is at fault. */
export function databaseMissing(reason: string, hint: string, details: ErrorDetails = {}): Said {
  return ['CONNECT_FAILED', 'Database connection failed', { reason, hint, ...details }]
}
