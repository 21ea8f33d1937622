/** `follow RUN`: resumes or ends the stream of an earlier copy. */
import { SluiceError } from '../../../../shared/errors.ts'
import { refuseKnownElsewhere } from '../../../copy/ledger/elsewhere.ts'
import { openExisting, openSourceStore } from '../../../copy/open-stores.ts'
import { onSide } from '../../../copy/sides.ts'
import { finishSwitch } from '../../cutover/standing.ts'
import { streamEnded } from '../../cutover/successor.ts'
import { StreamLedger } from '../../../copy/ledger/streams.ts'
import type { StreamRow } from '../../../copy/ledger/stream-row.ts'
import { endStreamAtBoth } from '../../stream/end-stream.ts'
import { copyOfStream, knowsStream, sourceUrl, streamKnown } from '../../stream/named-stream.ts'
import type { Ending } from '../../../run/run-context.ts'
import type { CopyRun } from '../../../copy/copy-run.ts'
import type { FollowOperation } from './declaration.ts'
import { goOn } from './hints.ts'
import { givenFields } from '../../../../shared/given-fields.ts'

/** @throws as `copy`; SluiceError NO_SUCH_TABLE for a run without a stream */
export async function performFollow(operation: FollowOperation, run: CopyRun): Promise<Ending> {
  if (operation.end && operation.changesOnly === true)
    throw new SluiceError('BAD_FLAG', '--end and --changes-only exclude each other', { hint: 'give one of them' })
  const { stream, from, refusal } = await streamOf(operation, run)
  if (operation.end) return await ended(operation, stream, from, run)
  if (refusal !== null) throw refusal
  const { changesOnly, proveEveryMs, untilCaughtUp, untilEqual, alert, resync, lanes, moved } = operation
  const until = untilEqual ? ('equal' as const) : untilCaughtUp ? ('caught-up' as const) : null
  const now = {
    ...(until === null ? {} : { until }),
    ...givenFields({ changesOnly, proveEveryMs, alert }),
    ...(resync === undefined || resync.length === 0 ? {} : { resync }),
    ...givenFields({ lanes, moved }),
  }
  return await goOn(copyOfStream(stream, { from, to: operation.to }, now), run)
}

/** @throws SluiceError BAD_FLAG if the id is the id of a run, and not of the stream itself */
async function ended(
  { to: url, stream: named, moved }: FollowOperation,
  stream: StreamRow,
  from: string,
  run: CopyRun,
): Promise<Ending> {
  if (named !== stream.id) {
    throw new SluiceError('BAD_FLAG', `${named} is a run of stream ${stream.id}, but --end needs the id of a stream`, {
      reason: `stream ${stream.id} reads from ${stream.source}`,
      hint: `to end that stream, run sluice follow ${stream.id} --end`,
    })
  }
  await using to = await onSide('target', () => openExisting(url))
  await using database = await to.ledger()
  const ledger = new StreamLedger(database, { ...run.owner, runId: BigInt(run.runId) })
  await using source = await openSourceStore(from)
  await endStreamAtBoth(stream, source, to, ledger, run, moved === true)
  return { totals: {} }
}

async function streamOf(
  { to: url, from: asked, stream: id }: FollowOperation,
  run: CopyRun,
): Promise<{ readonly stream: StreamRow; readonly from: string; readonly refusal: SluiceError | null }> {
  await using to = await onSide('target', () => openExisting(url))
  await using database = await to.ledger()
  await refuseKnownElsewhere(to, database, `stream ${id} is`, knowsStream(id), run.interrupt.abort)
  const stream = await streamKnown(database, id, to.label)
  await finishSwitch({ store: to, database }, stream.id, run)
  const restartHint =
    'run the command that began the stream with --restart: it copies the tables again and follows them'
  const refusal =
    stream.status === 'ended'
      ? await streamEnded(database, stream.id, (newest) => `sluice follow ${newest}`, restartHint)
      : null
  return { stream, from: sourceUrl(stream, asked, { url, identity: to.identity }), refusal }
}
