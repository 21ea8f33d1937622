/** `follow RUN`: resumes or ends the stream of an earlier copy. */
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import { refuseOtherLedger } from '../../../copy/ledger/other-ledgers.ts'
import { openExisting, openSourceStore } from '../../../copy/open-stores.ts'
import { onSide } from '../../../copy/sides.ts'
import { finishEarlierCutover } from '../../cutover/open-family.ts'
import { streamEnded } from '../../cutover/successor.ts'
import { StreamLedger } from '../../../copy/ledger/streams.ts'
import type { NamedStream } from '../../../copy/ledger/stream-lookup.ts'
import type { StreamRow } from '../../../copy/ledger/stream-row.ts'
import { endStreamAtBoth } from '../../stream/end-stream.ts'
import { checksKeys } from '../../stream/preflight.ts'
import { streamTableNames } from '../../stream/requested-stream.ts'
import { copyOfStream, knowsStream, sourceUrl, namedStream } from '../../stream/named-stream.ts'
import type { Ending } from '../../../run/run-context.ts'
import { planObjects, withoutFiringKeys } from '../../../copy/objects/plan-objects.ts'
import type { CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import { planFollowed } from '../../../copy/plan/plan-followed.ts'
import type { CopyRun } from '../../../copy/copy-run.ts'
import type { FollowOperation } from './declaration.ts'
import { resumeStream } from './hints.ts'
import { givenFields } from '../../../../shared/given-fields.ts'

/** @throws as `copy`; SluiceError NO_SUCH_TABLE for a run without a stream */
export async function performFollow(operation: FollowOperation, run: CopyRun): Promise<Ending> {
  if (operation.end && operation.changesOnly === true)
    throw new SluiceError('BAD_FLAG', '--end and --changes-only exclude each other', { hint: 'give one of them' })
  const { stream, from, refusal } = await streamOf(operation, run)
  if (operation.end) return await endStream(operation, stream, from, run)
  if (refusal !== null) throw refusal
  const { changesOnly, proveEveryMs, untilCaughtUp, untilEqual, alert, resync, lanes, moved } = operation
  const until = untilEqual ? ('equal' as const) : untilCaughtUp ? ('caught-up' as const) : null
  const now = {
    ...(until === null ? {} : { until }),
    ...givenFields({ changesOnly, proveEveryMs, alert }),
    ...(resync === undefined || resync.length === 0 ? {} : { resync }),
    ...givenFields({ lanes, moved }),
  }
  return await resumeStream(stream, copyOfStream(stream, { from, to: operation.to }, now), run)
}

/** @throws SluiceError BAD_FLAG if the id is the id of a run, and not of the stream itself */
async function endStream(
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
  const later = await omittedForeignKeys(
    stream,
    copyOfStream(stream, { from, to: url }, {}),
    { from: source, to, database },
    run,
  )
  await endStreamAtBoth(stream, source, to, ledger, run, moved === true)
  for (const sql of later) {
    const message = 'the stream has left out a foreign key of --with, because its changes would have fired it'
    run.emit({ type: 'log', level: 'warn', message, hint: `create it: ${sql}` })
  }
  return { totals: {} }
}

/** SQL that creates the foreign keys which the stream has left out; none if its tables can no longer be planned. */
async function omittedForeignKeys(
  stream: StreamRow,
  copy: CopyOperation,
  { from, to, database }: { readonly from: CopyStore; readonly to: CopyStore; readonly database: LedgerDatabase },
  { interrupt: { abort } }: CopyRun,
): Promise<readonly string[]> {
  const { with: options = [] } = copy
  if (stream.status === 'ended' || !options.includes('constraints')) return []
  try {
    if (!(await checksKeys(copy, to, abort))) return []
    const followed = await streamTableNames(stream.id, database)
    const planned = await planFollowed(copy, { from, to, begun: database }, followed, abort)
    const { requested } = await planObjects(planned, options, abort)
    const left = await withoutFiringKeys(planned, requested, async () => true)
    return [...left.values()].flat().flatMap((one) => (one.status === 'left' ? (one.later ?? []) : []))
  } catch {
    throwIfAborted(abort)
    return []
  }
}

async function streamOf(
  { to: url, from: asked, stream: id }: FollowOperation,
  run: CopyRun,
): Promise<{
  readonly stream: NamedStream
  readonly from: string
  readonly refusal: SluiceError | null
}> {
  await using to = await onSide('target', () => openExisting(url))
  await using database = await to.ledger()
  await refuseOtherLedger(to, database, `stream ${id} is`, knowsStream(id), run.interrupt.abort)
  const stream = await namedStream(database, id, to.label)
  await finishEarlierCutover({ store: to, database }, stream.id, run)
  // Users write to the source of an ended reverse stream, so a new copy starts there.
  const restartHint = stream.isReverse
    ? `a cutover began the stream, and no command begins it again: to move its tables again from ${stream.source}, run partition run, or copy --follow, with --restart`
    : 'run the command that began the stream with --restart: it copies the tables again and follows them'
  const refusal =
    stream.status === 'ended'
      ? await streamEnded(database, stream.id, (newest) => `sluice follow ${newest}`, restartHint)
      : null
  return { stream, from: sourceUrl(stream, asked, { url, identity: to.identity }), refusal }
}
