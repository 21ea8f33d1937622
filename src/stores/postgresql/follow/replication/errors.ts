/** Maps the server's errors of a stream to SluiceErrors. */
import { SluiceError } from '../../../../shared/errors.ts'
import { postgresSourceError } from '../../server/errors.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import type { PostgresSettings } from '../../server/settings.ts'

/** Error or notice of the server, parsed here into the fields that the driver would return. */
export class ServerMessage extends Error {
  readonly severity: string
  readonly code: string
  readonly detail: string | undefined
  readonly hint: string | undefined
  readonly routine: string | undefined

  /** @param fields of an ErrorResponse or a NoticeResponse, without its header */
  constructor(fields: Buffer) {
    const known = new Map<string, string>()
    for (const field of fields.toString('utf8').split('\0')) {
      if (field !== '') known.set(field.slice(0, 1), field.slice(1))
    }
    super(known.get('M') ?? 'the server does not give a reason')
    // `V` is `S` in English, independent of lc_messages.
    this.severity = known.get('V') ?? known.get('S') ?? 'ERROR'
    this.code = known.get('C') ?? 'XX000'
    this.detail = known.get('D')
    this.hint = known.get('H')
    this.routine = known.get('R')
  }

  /** From version 18 on a server skips changes made while their publication did not exist, with a warning. */
  get skipsPublication(): boolean {
    return this.severity === 'WARNING' && this.routine === 'LoadPublications'
  }
}

/** The server skipped changes, because the publication did not exist. */
export class PublicationMissing extends Error {}

/** @returns a SluiceError for an error of the server or of the connection to it; any other error unchanged */
export function streamError(thrown: unknown, slot: string, settings: PostgresSettings): unknown {
  const state = sqlStateOf(thrown)
  if (thrown instanceof PublicationMissing) return publicationGone(thrown, settings)
  const where = settings.label
  if (state === '42501' && thrown instanceof Error) {
    // If connecting failed, the server's message is in the cause.
    const said = thrown instanceof SluiceError && thrown.cause instanceof Error ? thrown.cause : thrown
    const hint = `as a superuser: ALTER ROLE ${settings.user} REPLICATION`
    return new SluiceError('SOURCE_DENIED', said.message, { where, hint, cause: thrown })
  }
  if (thrown instanceof SluiceError || !(thrown instanceof Error) || state === null) {
    return postgresSourceError(thrown, settings)
  }
  const { message } = thrown
  if (state === '55006') {
    return new SluiceError('SLOT_ACTIVE', `another program reads the replication slot ${slot}`, {
      where,
      reason: message,
      hint: 'end that program first: SELECT pid, application_name FROM pg_stat_replication',
      retryable: true,
      cause: thrown,
    })
  }
  if (/publication/.test(message) && state === '42704') return publicationGone(thrown, settings)
  // The slot does not exist, was invalidated, or is of another kind or database; or the server removed log that the
  // slot needs.
  if (state === '42704' || (state === '55000' && !message.includes('wal_level')) || state === '58P01') {
    return new SluiceError('SLOT_LOST', `the replication slot ${slot} can no longer be read`, {
      where,
      reason: message,
      hint: 'changes since its position are lost: copy the tables again',
      cause: thrown,
    })
  }
  if (state === '55000') {
    return new SluiceError('NOT_FOLLOWABLE', message, {
      where,
      hint: 'set wal_level = logical at the source and restart it',
      cause: thrown,
    })
  }
  return postgresSourceError(thrown, settings)
}

function publicationGone(cause: Error, settings: PostgresSettings): SluiceError {
  return new SluiceError('STREAM_HALTED', 'the publication of the stream did not exist when changes were made', {
    where: settings.label,
    reason: cause.message,
    hint: 'those changes are lost: copy the tables again',
    cause,
  })
}
