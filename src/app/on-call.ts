/** Runs a task that copies and compares for the worker that runs the stream, when that worker requests it. */
import { dec } from '../model/run/event.ts'
import { openExisting } from '../engine/copy/open-stores.ts'
import { onSide } from '../engine/copy/sides.ts'
import type { CopyRun } from '../engine/copy/copy-run.ts'
import { copyOfStream, sourceUrl, namedStream } from '../engine/follow/stream/named-stream.ts'
import { compareFor } from '../engine/follow/together/compare-for.ts'
import { copyFor } from '../engine/follow/together/copy-for.ts'
import type { CopyOperation } from '../engine/copy/operations/copy/declaration.ts'
import type { Ending } from '../engine/run/run-context.ts'
import type { Operation } from './operations/list.ts'
import type { FollowOperation } from '../engine/follow/operations/follow/declaration.ts'

/** @throws SluiceError CONNECT_FAILED, LEASE_LOST; NO_SUCH_TABLE for a run without a stream */
export async function onCall(operation: Operation, run: CopyRun): Promise<Ending> {
  const { sharedRun, owner, emit, clock, interrupt, runId } = run
  if ((operation.kind !== 'copy' && operation.kind !== 'follow') || sharedRun === undefined)
    throw new Error(`${operation.kind} has no stream that others work for`)
  const asked = operation.kind === 'copy' ? operation : await copyOf(operation)
  const copied = await copyFor(asked, sharedRun, run)
  if (interrupt.stop.aborted) return { totals: { rows: dec(copied.rows), chunks: dec(copied.chunks) }, stopped: true }
  const { from, to } = asked
  const own = { ...owner, runId: BigInt(runId) }
  const { ranges, rows } = await compareFor({ from, to, sharedRun, owner: own, emit, clock, interrupt })
  return {
    totals: {
      rows: dec(copied.chunks === 0 ? rows : copied.rows),
      ...(copied.chunks === 0 ? {} : { chunks: dec(copied.chunks) }),
      ranges: dec(ranges),
    },
    notChecked: 'chunks and ranges were done for the worker that runs the stream; its run reports the result',
  }
}

async function copyOf({ from, to: url, stream: id }: FollowOperation): Promise<CopyOperation> {
  await using to = await onSide('target', () => openExisting(url))
  await using database = await to.ledger()
  const stream = await namedStream(database, id, to.label)
  return copyOfStream(stream, { from: sourceUrl(stream, from, { url, identity: to.identity }), to: url }, {})
}
