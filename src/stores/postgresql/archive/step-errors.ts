/** Errors that prevent archiving, restoring or removing a partition, with a hint. */
import { SluiceError } from '../../../shared/errors.ts'
import { foreignKeyHint, hiddenHint, postgresTargetError, type ServerError } from '../server/errors.ts'
import { reservedHint } from '../server/missing-right.ts'
import { LACKS_IDENTITY, lacksIdentity, sqlStateOf } from '../server/server-errors.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { isPostgresBusy, Locks } from '../server/locks.ts'
import type { CopySession } from '../server/session.ts'

type StepContext = {
  readonly settings: PostgresSettings
  /** Name of the table, for messages. */
  readonly table: string
  /** Sessions that hold or wait for locks of the step. */
  readonly holders?: readonly string[]
  /** Hint for a role that lacks a right. */
  readonly rights?: string
}

/** Prefix of constraints with the bounds of a partition. */
export const BOUNDS = 'sluice_bounds_'

const RIGHTS =
  'connect as the owner of the table and of all its partitions, who may also CREATE in their schemas and in sluice_archived'

/** Hint about objects that depend on a partition itself. */
export const BOUND_HINT =
  'drop the dependent objects, or let them read from the parent table, then run the same command again'

/** @returns a SluiceError, unless the error is not from the database */
export function stepError(thrown: unknown, { settings, table, holders = [], rights = RIGHTS }: StepContext): unknown {
  if (isPostgresBusy(thrown)) return busy(thrown, table, holders)
  if (thrown instanceof SluiceError) return thrown
  const state = sqlStateOf(thrown)
  if (state === null) return postgresTargetError(thrown, settings, table)
  const { message, detail, constraint } = thrown as ServerError
  const refused = (hint: string): SluiceError =>
    new SluiceError('TABLE_REFUSED', message, {
      where: table,
      ...(detail === undefined ? {} : { reason: detail.split('\n').join('; ') }),
      hint,
      cause: thrown,
    })
  if (lacksIdentity(thrown))
    return new SluiceError('TABLE_REFUSED', message, { where: table, ...LACKS_IDENTITY, cause: thrown })
  switch (state) {
    case '42501':
      return new SluiceError('TARGET_DENIED', message, {
        where: settings.label,
        hint: message.includes('row-level security')
          ? hiddenHint(thrown as ServerError)
          : (reservedHint(message) ?? rights),
        cause: thrown,
      })
    case '2BP01':
      return refused(BOUND_HINT)
    case '23503':
      return refused(foreignKeyHint(message))
    case '23514':
      // A violated partition bound has no constraint name.
      if (constraint === undefined) {
        return refused('move the rows within its bounds out of the default partition, then run the same command again')
      }
      if (!constraint.startsWith(BOUNDS)) {
        return refused(
          `drop the constraint ${constraint}, then run the same command again; or restore the rows into another table with --into`,
        )
      }
      return refused('its rows are outside of these bounds: name the partition from which they came')
    case '42P17':
      return refused('another partition has a part of its range: detach that one first')
    case '42804':
      return refused(
        'the columns of the table and its parent differ now: make them equal, then run the same command again',
      )
    default:
      return postgresTargetError(thrown, settings, table)
  }
}

/** `stepError` that names the sessions with locks of these tables, if they prevented the step. Ends the transaction. */
export async function lockedStepError(
  thrown: unknown,
  about: StepContext,
  session: CopySession,
  oids: readonly string[],
): Promise<unknown> {
  if (!isPostgresBusy(thrown) || !session.alive) return stepError(thrown, about)
  const locks = new Locks(session)
  locks.involve(...oids)
  return stepError(thrown, { ...about, holders: await locks.holders() })
}

function busy(thrown: unknown, table: string, holders: readonly string[]): SluiceError {
  const said = thrown instanceof SluiceError ? thrown : null
  return new SluiceError('TARGET_BUSY', said?.message ?? `other sessions use ${table}`, {
    where: table,
    reason:
      holders.length === 0
        ? 'a lock on it could not be acquired'
        : `these sessions hold or wait for locks: ${holders.join(', ')}`,
    hint: 'wait until these sessions end their transactions, then run the same command again',
    retryable: true,
    cause: thrown,
  })
}
