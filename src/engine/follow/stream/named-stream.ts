/** Finds a stream that a command names, and the copy that began it. */
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import { streamNamed, type NamedStream } from '../../copy/ledger/stream-lookup.ts'

/** True if a ledger has a stream of that id, or of that run. */
export function knowsStream(id: string): (database: LedgerDatabase) => Promise<boolean> {
  return async (database) => (await streamNamed(database, id)) !== null
}

/** @param id of the stream, or of its last run @param label of the target @throws SluiceError NO_SUCH_TABLE */
export async function namedStream(database: LedgerDatabase, id: string, label: string): Promise<NamedStream> {
  const found = await streamNamed(database, id)
  if (found !== null) return found
  throw new SluiceError('NO_SUCH_TABLE', `the ledger has no stream ${id}`, {
    where: label,
    hint: 'to list the runs of this ledger, use sluice runs --to URL; a reverse stream has its own id, which the cutover printed',
  })
}

/**
 * Error: the stream reads from another database.
 * @param from the store that was opened as its source @param ifGone more of the hint: what to do without that database
 */
export function otherSourceError(
  { id, source }: Pick<StreamRow, 'id' | 'source'>,
  from: Pick<CopyStore, 'label'>,
  ifGone = '',
): SluiceError {
  return new SluiceError('PLAN_CHANGED', `stream ${id} reads from another database`, {
    where: from.label,
    reason: `its source is ${source}`,
    hint: `name that database with --from${ifGone}`,
  })
}

/**
 * URL of a stream's source: the URL that the command names; otherwise that of the target, if both are one database;
 * otherwise the URL in the ledger, which has no password.
 * @param to the target, and the URL by which it was opened
 */
export function sourceUrl(
  { source, sourceIdentity }: Pick<StreamRow, 'source' | 'sourceIdentity'>,
  asked: string | undefined,
  to: { readonly url: string; readonly identity: string },
): string {
  return asked ?? (sourceIdentity === to.identity ? to.url : source)
}

/** The copy that began a stream. @param now options of this command, which override the original ones */
export function copyOfStream(
  { wishes }: Pick<StreamRow, 'wishes'>,
  ends: Pick<CopyOperation, 'from' | 'to'>,
  now: NonNullable<CopyOperation['follow']>,
): CopyOperation {
  const stored = JSON.parse(wishes) as Omit<CopyOperation, 'from' | 'to'>
  return { ...stored, ...ends, follow: { ...stored.follow, ...now } }
}
