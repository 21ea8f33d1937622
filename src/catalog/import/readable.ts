/** Whether a log's own declarations allow it to be read at all; asked before anything is written. */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { readerRefusal } from '../../delta/features.ts'
import { SluiceError } from '../../shared/errors.ts'

/**
 * @returns the refusal of a table that needs more than this reader has, or null
 * @throws SluiceError MISSING_PROTOCOL, MISSING_METADATA
 */
export function refusalOf(
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
