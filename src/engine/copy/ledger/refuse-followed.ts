/** Refuses writes into tables of a stream, except by the stream's own run: the stream would not see such rows. */
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { tableOfKey, type TableKey } from './owner.ts'
import { streamsInto, streamsIntoTables } from './stream-lookup.ts'
import type { StreamRow } from './stream-row.ts'

/** Reason and hint for a refused action on a table of a stream. @param stream its id */
type RefusalTexts = { readonly reason: string; readonly hint: (stream: string) => string }

const WRITE: RefusalTexts = {
  reason: 'the stream does not see rows that another command writes',
  hint: (stream) => `resume the stream with sluice follow ${stream}; ${repairSome(stream)}`,
}

function repairSome(stream: string): string {
  return `or repair some rows with sluice diff --fix --run ${stream} --key KEY, or with --range or --partition instead of --key; or end the stream first with sluice follow ${stream} --end`
}

/** Texts for a refused undo of a repair. */
export const UNDO: RefusalTexts = {
  reason: 'the row would differ from the source again, until the next comparison of the stream repairs it',
  hint: (stream) => `change the row at the source; or end the stream first with sluice follow ${stream} --end`,
}

/** Texts for a refused retry of quarantined rows. */
export const RETRY: RefusalTexts = {
  reason: 'the run of a stream writes quarantined rows after they are corrected at the source',
  hint: (stream) =>
    `correct them at the source, then run sluice follow ${stream}; for a live table, sluice diff --fix --run ${stream} --key KEY reads single rows again`,
}

/**
 * @param instead texts for the refused action; absent: for writing rows
 * @throws SluiceError TABLE_FOLLOWED if a stream that has not ended writes into one of these target tables
 */
export async function refuseFollowed(
  to: CopyStore,
  ledger: { readonly database: LedgerDatabase; readonly signal: AbortSignal },
  keys: readonly TableKey[],
  instead: RefusalTexts = WRITE,
): Promise<void> {
  if (to.offers.changeTarget === undefined) return
  const each = new Map(keys.map((key) => [JSON.stringify([key.schema, key.name]), key]))
  refuseStreams(await streamsInto(to, ledger, [...each.values()]), [...each.values()], instead)
}

/** @throws as `refuseFollowed`, but only if streams write to each of these tables */
export async function refuseAllFollowed(...given: Parameters<typeof refuseFollowed>): Promise<void> {
  const [to, ledger, keys] = given
  if (to.offers.changeTarget === undefined) return
  for (const key of keys) if ((await streamsInto(to, ledger, [key])).length === 0) return
  await refuseFollowed(...given)
}

/**
 * How to repair tables that differ, where `diff --fix` is refused because a stream that has not ended writes into one
 * of them; null if there is no such stream.
 */
export async function followedRepairHint(
  to: CopyStore,
  ledger: { readonly database: LedgerDatabase; readonly signal: AbortSignal },
  keys: readonly TableKey[],
): Promise<string | null> {
  if (to.offers.changeTarget === undefined) return null
  const [stream] = await streamsInto(to, ledger, keys)
  if (stream === undefined) return null
  const { id } = stream
  return `stream ${id} writes to the target, and some changes may be on their way: run sluice follow ${id} --until-equal to compare again and repair all rows; ${repairSome(id)}`
}

/**
 * `refuseFollowed` during a copy: reads only the ledger of the copy, which records a stream that started after the
 * copy.
 * @throws SluiceError TABLE_FOLLOWED
 */
export async function refuseFollowedSince(database: LedgerDatabase, key: TableKey): Promise<void> {
  refuseStreams(await streamsIntoTables(database, [key]), [key], WRITE)
}

function refuseStreams(
  [stream]: readonly StreamRow[],
  keys: readonly TableKey[],
  { reason, hint }: RefusalTexts,
): void {
  if (stream === undefined) return
  const names = keys.map((key) => tableText(tableOfKey(key)))
  throw new SluiceError(
    'TABLE_FOLLOWED',
    `this command may not write to ${names.join(', ')}: stream ${stream.id} writes to ${names.length === 1 ? 'this table' : 'these tables'}`,
    { reason, hint: hint(stream.id) },
  )
}
