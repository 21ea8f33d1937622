/** Checks whether sluice can read a log, by its protocol; call before anything is written. */
import type { MetadataAction, ProtocolAction, ActionKind } from '../../delta/actions.ts'
import { readerRefusal } from '../../delta/features.ts'
import { SluiceError } from '../../shared/errors.ts'
import { MOST_CHARACTERS } from '../most-characters.ts'

/** @returns the refusal for unsupported requirements, or null @throws SluiceError MISSING_PROTOCOL, MISSING_METADATA */
export function unreadableRefusal(
  protocol: ProtocolAction | null,
  metadata: MetadataAction | null,
  label: string,
): SluiceError | null {
  const where = `${label}/_delta_log`
  const hint = 'restore the first commit or a checkpoint'
  if (protocol === null) {
    throw new SluiceError('MISSING_PROTOCOL', 'no protocol action in the log', {
      where,
      reason: 'the first commit of a Delta table must name its protocol',
      hint,
    })
  }
  if (metadata === null) {
    throw new SluiceError('MISSING_METADATA', 'no metaData action in the log', {
      where,
      reason: 'the first commit of a Delta table must contain its schema',
      hint,
    })
  }
  return readerRefusal(protocol)
}

const LONG = {
  metaData: {
    reason:
      'name, description, configuration and schema of a table are in one action, and a longer one could not be validated',
    hint: 'shorten the description or the properties of the table with the engine that owns it, then write a checkpoint',
  },
  other: {
    reason: 'a longer line could not be validated',
    hint: 'remove the long value from the table, then write a checkpoint with the engine that owns the table',
  },
} as const

/**
 * Refuses an action that is too long to be validated, although it could be imported.
 * @param raw the line of the action
 * @param place a version, or a file and a line number, for the message
 * @throws SluiceError BAD_ACTION
 */
export function refuseLong(raw: string, kind: ActionKind | null, place: string, label: string): void {
  const which = kind === 'metaData' ? 'metaData' : 'other'
  if (raw.length <= MOST_CHARACTERS[which]) return
  const what = kind === null || kind === 'unknown' ? 'the line' : `the ${kind}`
  throw new SluiceError(
    'BAD_ACTION',
    `${place}: ${what} has ${raw.length} characters, and the limit of a catalog is ${MOST_CHARACTERS[which]}`,
    { where: `${label}/_delta_log`, ...LONG[which] },
  )
}
