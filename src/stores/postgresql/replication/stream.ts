/** Changes of a slot, in the order of their commits. */
import type { LogPosition } from '../../../model/copy/change.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChangeStream, FollowedTable, StreamBirth } from '../../follow-port.ts'
import type { PostgresSettings } from '../settings.ts'

export type StreamOptions = {
  /** Aborted, it ends the stream: `next` throws. */
  readonly signal: AbortSignal
  /** Leaves out transactions that were applied under any replication origin. PostgreSQL 16 and newer. */
  readonly origin?: 'none'
  /** Ends the session that reads the slot now: the caller has the lease, so the program behind it is dead. */
  readonly takeOver?: boolean
}

/**
 * @param from transactions whose commit record begins before it are left out
 * @throws SluiceError SLOT_LOST, SLOT_ACTIVE, NOT_FOLLOWABLE, CONNECTION_LOST (retryable)
 */
export async function openStream(
  settings: PostgresSettings,
  birth: Pick<StreamBirth, 'slot' | 'publication'>,
  tables: readonly FollowedTable[],
  from: LogPosition,
  options: StreamOptions,
): Promise<ChangeStream> {
  void [settings, tables, from, options]
  throw new SluiceError('INTERNAL', `the stream of ${birth.slot} is not built yet`)
}
