/** Options that cannot be combined with `--follow`. */
import { SluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { systemOf } from '../../run/systems.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import type { TableRequest } from '../../../model/run/table-request.ts'
import type { SteeringRequest } from '../../run/operation.ts'

/** Steering requests that a run refuses while it applies a stream. @param to the target */
export function refusedWhileFollowing(
  request: SteeringRequest,
  to: Pick<CopyStore, 'can' | 'system' | 'label'>,
): SluiceError | null {
  if (request.act === 'lanes') return applyWorkersRefusal(request.lanes, to)
  if ('table' in request) return refusedForStream(request.act)
  return request.act === 'workers' ? refusedWorkers() : null
}

/**
 * Checks before anything is opened that the target can write rows and position in one transaction.
 * @throws SluiceError NOT_FOLLOWABLE
 */
export function refuseTargetUrl(url: string): void {
  const system = systemOf(url)
  if (system?.copies !== undefined && system.copies.atomic !== 'chunk') throw cannotFollow(system.name, redactUrl(url))
}

/** @param system of the target @param where the target, without password */
export function cannotFollow(system: string, where: string): SluiceError {
  return new SluiceError('NOT_FOLLOWABLE', `${system} cannot be the target of a stream`, {
    where,
    reason: 'rows and the position of the stream must change in one transaction',
    hint: 'remove --follow; each later copy with --again compares the tables and writes what differs',
  })
}

/** Error for a request that sets the number of copy workers of a stream, which has none. */
export function refusedWorkers(): SluiceError {
  return new SluiceError('BAD_FLAG', 'a run that replicates changes has no copy workers', {
    reason: 'its changes are applied in the order of their commits',
    hint: 'set the apply workers with lanes N, or limit the stream with rate N',
  })
}

/** Error for a steering request for a single table of a stream. */
export function refusedForStream(act: TableRequest['act']): SluiceError {
  return new SluiceError('BAD_FLAG', `${act} of one table is not possible in a run that replicates changes`, {
    reason: 'a transaction may change several tables, and is applied as a whole',
    hint: 'pause, resume, stop and rate apply to the whole stream',
  })
}

/** Maximum number of apply workers: more sessions would wait for each other. */
const MOST_APPLY_WORKERS = 16

/** Error if the target cannot apply a stream with this many apply workers; null if it can. */
export function applyWorkersRefusal(
  wanted: number,
  { can, system, label }: Pick<CopyStore, 'can' | 'system' | 'label'>,
): SluiceError | null {
  if (wanted < 1 || wanted > MOST_APPLY_WORKERS)
    return new SluiceError('BAD_FLAG', `lanes must be 1 to ${MOST_APPLY_WORKERS}, not ${wanted}`)
  if (wanted === 1 || can.writers > 1) return null
  return new SluiceError('BAD_FLAG', `${system} allows one writer at a time, not ${wanted} apply workers`, {
    where: label,
    hint: 'remove --apply-workers',
  })
}

/**
 * Allows `--changes-only` only for a copy by periods: only there does the time of a row show whether the row is copied.
 * @param stream null if none has begun @throws SluiceError BAD_FLAG
 */
export function refuseChangesOnly(
  stream: Pick<StreamRow, 'wishes' | 'startRecord'> | null,
  { restart, follow }: CopyOperation,
): void {
  const { periods } = JSON.parse(stream?.wishes ?? '{}') as Pick<CopyOperation, 'periods'>
  if (follow?.until === 'equal')
    throw new SluiceError('BAD_FLAG', '--until-equal cannot be combined with --changes-only', {
      reason: 'a table is compared only once all of it is copied',
      hint: 'give --until-caught-up instead: it ends once all changes of the copied rows are applied',
    })
  if (periods !== undefined && stream?.startRecord != null && !restart) return
  throw new SluiceError('BAD_FLAG', '--changes-only is for streams that partition run has begun', {
    reason: 'in other tables, a change does not show whether its row is already copied',
    hint: 'remove --changes-only: sluice then copies the rest and follows the table',
  })
}

/** @throws SluiceError BAD_FLAG */
export function refuseCombinations(operation: CopyOperation): void {
  const { where, again, part, constants, explodeMap, codecs, track, ring, script, onExisting, verify } = operation
  const named: readonly (readonly [string, boolean, string])[] = [
    [
      '--where',
      where !== undefined,
      'a change can make a row match the condition or no longer match it, and the stream does not report that',
    ],
    ['--again', again === true, 'chunks would be written outside the stream'],
    ['--part', part !== undefined, 'a stream has one reader'],
    ['--constants', Object.keys(constants ?? {}).length > 0, 'a stream applies rows as they are in the table'],
    ['--explode-map', explodeMap !== undefined, 'a stream applies rows as they are in the table'],
    ['spark.cdm.transform.codecs', codecs !== undefined, 'a stream applies rows as they are in the table'],
    ['--track-run', track !== undefined, 'a stream has no token ranges'],
    ['--splits', ring !== undefined, 'a stream has no token ranges'],
    ['--settings', script !== undefined, 'it is for runs that end by themselves, and a stream does not'],
    ['--verify none', verify === 'none', 'a stream may only begin with rows that are proved'],
    [
      `--on-existing ${onExisting}`,
      onExisting === 'append' || onExisting === 'upsert',
      'rows that the source does not have would stay in the target',
    ],
  ]
  for (const [flag, isGiven, reason] of named) {
    if (isGiven)
      throw new SluiceError('BAD_FLAG', `${flag} cannot be combined with --follow`, { reason, hint: `remove ${flag}` })
  }
}
