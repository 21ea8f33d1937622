/** Checks whether the log's protocol allows it to be read; call before anything is written. */
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
      reason: 'every Delta table says in its first commit which protocol it needs',
      hint,
    })
  }
  if (metadata === null) {
    throw new SluiceError('MISSING_METADATA', 'no metaData action in the log', {
      where,
      reason: 'every Delta table states its schema in its first commit',
      hint,
    })
  }
  return readerRefusal(protocol, metadata)
}

const LONG = {
  metaData: {
    reason:
      'name, description, configuration and schema of a table stand in one action, and a longer one could not be validated',
    hint: 'shorten the description or the properties of the table with the engine that owns it, and write a checkpoint behind that',
  },
  other: {
    reason: 'a longer line could not be validated',
    hint: 'write a checkpoint with the engine that owns the table, once what made the line long is gone from it',
  },
} as const

/**
 * Refuses an action that could be imported but not validated.
 * @param raw the line of the action
 * @param place a version, or a file with the number of a line
 * @throws SluiceError BAD_ACTION
 */
export function refuseLong(raw: string, kind: ActionKind | null, place: string, label: string): void {
  const which = kind === 'metaData' ? 'metaData' : 'other'
  if (raw.length <= MOST_CHARACTERS[which]) return
  const what = kind === null || kind === 'unknown' ? 'the line' : `the ${kind}`
  throw new SluiceError(
    'BAD_ACTION',
    `${place}: ${what} has ${raw.length} characters, of which a catalog takes ${MOST_CHARACTERS[which]}`,
    { where: `${label}/_delta_log`, ...LONG[which] },
  )
}
