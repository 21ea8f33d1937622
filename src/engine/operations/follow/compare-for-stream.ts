/** A slot that compares for the worker that has the stream of its run. */
import { dec } from '../../../model/event.ts'
import { openExisting } from '../../copy/open-stores.ts'
import { onSide } from '../../copy/sides.ts'
import { sourceUrl, streamKnown } from '../../follow/named-stream.ts'
import { compareFor } from '../../follow/together/compare-for.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { Ending } from '../../run-context.ts'
import type { Operation } from '../list.ts'
import type { FollowOperation } from './declaration.ts'

/** @throws SluiceError CONNECT_FAILED, NO_SUCH_TABLE for a run that follows nothing */
export async function compareForStream(operation: Operation, run: CopyRun): Promise<Ending> {
  const { sharedRun, owner, emit, clock, interrupt, runId } = run
  if ((operation.kind !== 'copy' && operation.kind !== 'follow') || sharedRun === undefined)
    throw new Error(`${operation.kind} has no stream that others compare for`)
  const { to } = operation
  const from = operation.kind === 'copy' ? operation.from : await sourceOf(operation)
  const own = { ...owner, runId: BigInt(runId) }
  const { ranges, rows } = await compareFor({ from, to, sharedRun, owner: own, emit, clock, interrupt })
  return {
    totals: { ranges: dec(ranges), rows: dec(rows) },
    notChecked: 'ranges were compared for the worker that has the stream; what they come to, its run says',
  }
}

async function sourceOf({ from, to: url, stream }: FollowOperation): Promise<string> {
  await using to = await onSide('target', () => openExisting(url))
  await using database = await to.ledger()
  return sourceUrl(await streamKnown(database, stream, to.label), from, { url, identity: to.identity })
}
