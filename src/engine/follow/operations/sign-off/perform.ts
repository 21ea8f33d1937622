/** `sign-off`: compares the rows that a stream has copied, checks other objects, and stores the result. */
import { randomUUID } from 'node:crypto'
import type { SignOff } from '../../../../model/follow/sign-off.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { redactUrl } from '../../../../shared/redact.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import { refuseOtherLedger } from '../../../copy/ledger/other-ledgers.ts'
import { openExisting, openSourceStore } from '../../../copy/open-stores.ts'
import { chosenLosses, planLeftBehind } from '../../../copy/plan/left-behind.ts'
import { planFollowed } from '../../../copy/plan/plan-followed.ts'
import { onSide } from '../../../copy/sides.ts'
import { streamEnded } from '../../cutover/successor.ts'
import { cdcOf } from '../../stream/known-stream.ts'
import { SignOffLedger, type AnsweredSignOff } from '../../ledger/sign-offs.ts'
import { StreamLedger } from '../../../copy/ledger/streams.ts'
import type { StreamRow } from '../../../copy/ledger/stream-row.ts'
import { streamTableNames } from '../../stream/requested-stream.ts'
import { copyOfStream, knowsStream, sourceUrl, namedStream, otherSourceError } from '../../stream/named-stream.ts'
import type { CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import { checkReport } from '../../../run/report-file.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import { signOffChecks } from '../../sign-off/checks.ts'
import { compareNow, type OpenLedger } from '../../sign-off/compare-now.ts'
import { comparisonOf, signOffDocument } from '../../sign-off/document.ts'
import { streamHistory } from '../../sign-off/history.ts'
import { signOffScope } from '../../sign-off/scope.ts'
import type { signOff, SignOffOperation } from './declaration.ts'
import { reportSignOff } from './report.ts'

type SignOffRun = RunOf<typeof signOff>

/** @throws SluiceError NO_SUCH_TABLE for a run without a stream, STREAM_HALTED, BAD_FLAG; errors of the comparison */
export async function performSignOff(operation: SignOffOperation, run: SignOffRun): Promise<Ending> {
  if (operation.report !== undefined) await checkReport(operation.report)
  const asked = await requestSignOff(operation, run)
  const { id, stream } = asked
  const open = async (): Promise<OpenLedger> => await openLedger(operation.to, run)
  const drop = async (): Promise<void> => {
    await using ledger = await open()
    await ledger.signOffs.drop(id)
  }
  try {
    const answer = await compareNow({ id, stream: stream.id, operation: asked.copy, open, run })
    if (answer === null) {
      await drop()
      return { totals: {}, stopped: true }
    }
    return await reportSignOff(await storeSignOff(operation, asked, answer, run), operation.report, run)
  } catch (error) {
    await drop().catch(() => undefined)
    throw error
  }
}

async function openLedger(url: string, run: SignOffRun): Promise<OpenLedger> {
  const to = await onSide('target', () => openExisting(url))
  try {
    const database = await to.ledger()
    return {
      signOffs: new SignOffLedger(database),
      streams: new StreamLedger(database, { ...run.owner, runId: BigInt(run.runId) }),
      [Symbol.asyncDispose]: async () => {
        await database[Symbol.asyncDispose]()
        await to[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await to[Symbol.asyncDispose]()
    throw error
  }
}

/** @property copy operation with which the stream began */
type SignOffRequest = {
  readonly id: string
  readonly stream: StreamRow
  readonly url: string
  readonly copy: CopyOperation
}

/** Writes the request to the ledger, then closes the target: only one program at a time can open a file's ledger. */
async function requestSignOff(operation: SignOffOperation, run: SignOffRun): Promise<SignOffRequest> {
  await using to = await onSide('target', () => openExisting(operation.to))
  await using database = await to.ledger()
  const { stream: named } = operation
  await refuseOtherLedger(to, database, `stream ${named} is`, knowsStream(named), run.interrupt.abort)
  const stream = await namedStream(database, named, to.label)
  await refuseUnready(stream, database)
  const url = sourceUrl(stream, operation.from, { url: operation.to, identity: to.identity })
  await using from = await openSourceStore(url)
  if (from.identity !== stream.sourceIdentity) throw otherSourceError(stream, from)
  const copy = copyOfStream(stream, { from: url, to: operation.to }, {})
  const { scope } = await signOffScope(
    operation,
    await planFollowed(
      copy,
      { from, to, begun: database },
      await streamTableNames(stream.id, database),
      run.interrupt.abort,
    ),
    run.interrupt.abort,
  )
  const ledger = new SignOffLedger(database)
  await ledger.prepare()
  const id = randomUUID()
  await ledger.ask(id, stream.id, BigInt(run.runId), scope)
  return { id, stream, url, copy }
}

/** Checks the objects of the tables, and stores the document. */
async function storeSignOff(
  operation: SignOffOperation,
  { id, stream, url, copy }: SignOffRequest,
  answer: AnsweredSignOff,
  run: SignOffRun,
): Promise<SignOff> {
  const signal = run.interrupt.abort
  await using to = await onSide('target', () => openExisting(operation.to))
  await using database = await to.ledger()
  await using from = await openSourceStore(url)
  const followed = await streamTableNames(stream.id, database)
  const planned = await planFollowed(copy, { from, to, begun: database }, followed, signal)
  const { tables } = await signOffScope(operation, planned, signal)
  // A cutover is possible only for a stream of one table that reads the log of a slot.
  const hasCutover = followed.size === 1 && cdcOf(stream, undefined) === 'slot'
  const document = signOffDocument({
    id,
    at: isoTime(run.clock.now()),
    by: operation.by ?? run.actor,
    run,
    source: { url: redactUrl(url), system: from.system, identity: from.identity },
    target: { url: redactUrl(operation.to), system: to.system, identity: to.identity },
    compared: comparisonOf(answer, tables),
    checks: await signOffChecks({ planned, tables, copy, hasCutover }, signal),
    others: planned.tables.filter((one) => !tables.includes(one)),
    history: await streamHistory(database, stream),
    leftBehind: [
      ...(await planLeftBehind({ ...planned, tables }, false, new Map(), signal)),
      ...tables.flatMap(({ plan }) => (plan === null ? [] : chosenLosses(plan))),
    ],
  })
  await new SignOffLedger(database).close(document)
  return document
}

/** @throws SluiceError STREAM_HALTED if a stream is halted, has ended, or is not completely copied */
async function refuseUnready({ id, status, faults }: StreamRow, database: LedgerDatabase): Promise<void> {
  const [copying] = await database.all(
    "SELECT source_table FROM migration_stream_tables WHERE stream_id = ? AND state IN ('copying', 'resync')",
    [id],
  )
  if (status === 'ended') {
    throw await streamEnded(
      database,
      id,
      (newest) => `sluice sign-off ${newest}`,
      `sluice follow ${id} --report - shows earlier comparisons; sluice diff compares tables while no program writes them`,
    )
  }
  const why =
    status === 'halted'
      ? `stream ${id} is halted: ${faults[0]?.message ?? 'changes may be missing'}`
      : copying === undefined
        ? null
        : `${String(copying[0])} is still being copied`
  if (why === null) return
  throw new SluiceError('STREAM_HALTED', why, {
    reason: 'both sides cannot be compared as of one snapshot',
    hint: `run sluice follow ${id}, which resumes the stream, or reports why it cannot`,
  })
}
