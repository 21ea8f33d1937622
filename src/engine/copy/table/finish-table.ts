/**
 * Finishes a table without chunks left: checks its state in the ledger and in the target, and whether it is complete.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import { dec, type CopyTally } from '../../../model/run/event.ts'
import { checksumText } from '../../../model/copy/row-hash.ts'
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { settingsRefused } from '../plan/row-losses.ts'
import { isoTime } from '../../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { againNotes, againReported, repairHint } from '../again/again-work.ts'
import { compareDigests } from '../chunk/chunk-proof.ts'
import { comparedColumns, inspectTarget, plannedReadColumns, writeColumns, type TableContext } from './context.ts'
import type { LeftBehind } from '../../../model/copy/dependencies.ts'
import { refuseOtherValues } from '../chunk/computed.ts'
import { leftOfTable } from '../plan/left-behind.ts'
import { onSide } from '../sides.ts'
import { chunkTotals } from '../ledger/chunk-totals.ts'
import { wholeProof } from '../ledger/proofs.ts'
import { completeStatement } from '../ledger/quarantine.ts'
import type { RunLedger } from '../ledger/runs.ts'
import { recountEarlier, type EarlierInspection } from '../recount/recount-earlier.ts'
import { transientCode } from '../../../model/share/transient-errors.ts'
import { openTokens } from '../plan/ring-plan.ts'
import { wantedChunks } from '../plan/wanted-chunks.ts'
import { buildOwnObjects, objectsError } from '../objects/build-objects.ts'
import { withRetries } from '../workers/retries.ts'
import { retryQuarantined } from '../quarantine/retry.ts'
import { TableTotals } from './table-totals.ts'
import type { CopyContext } from './copy-context.ts'
import type { TableEnd, TableRun, Tallies } from './table-run.ts'
import { countText } from '../../../shared/figures.ts'

/** Reports the end of a table, unless it was reported before. */
export async function finishTable(table: TableRun, context: TableContext, copyContext: CopyContext): Promise<TableEnd> {
  if (table.ended !== undefined) return table.ended
  const { operation, run, views, steering, runs } = copyContext
  const leavesOut = context.periods?.leavesOut === true || steering.leavesOut(context.name)
  let standing = new TableTotals(context, table.again, 0)
  let error = table.error
  let unbuilt = 0
  let more: readonly string[] = []
  let inspected: EarlierInspection | null = null
  try {
    const retries =
      error === null && table.again === undefined && !steering.stop.aborted && !run.interrupt.abort.aborted
    if (retries) await retryQuarantined(context, steering.stop)
    standing = await totalsOf(context, table, copyContext)
    if (retries && standing.quarantined > 0n) {
      await context.database.batch([completeStatement(context.key)])
      standing = await totalsOf(context, table, copyContext)
    }
    error ??= verdict(context, standing, table, copyContext, leavesOut)
    if (error === null && !steering.stop.aborted && (await isHalfCut(context, runs, standing))) {
      error = new SluiceError('CHUNKS_FAILED', `${context.name} is not completely divided into chunks`, {
        hint: 'run the same command again: it continues where this one ended',
      })
    }
    const mayLook = table.again === undefined && (error === null || error.code === 'ROWS_ASIDE')
    if (mayLook && !steering.stop.aborted && !run.interrupt.abort.aborted) {
      inspected = await recountEarlier(context, standing, copyContext)
      error = worseError(error, inspected.error)
    }
    // Neither quarantined rows nor differing counts prevent the proof of the rows written.
    const isProvable = error === null || error === inspected?.error || error.code === 'ROWS_ASIDE'
    if (isProvable && standing.isWhole && !run.interrupt.abort.aborted) {
      const isCounted = table.again !== undefined || (inspected?.chunks ?? 0) > 0
      const prove = async (): Promise<readonly string[]> => {
        if (!isCounted) await refuseLeftRows(context, standing, runs)
        return await proveWhole(context, standing)
      }
      more = await withRetries(prove, context, steering.stop)
      standing.isProvedWhole = true
      // Differing counts do not prevent the creation of indexes.
      if (error?.code !== 'ROWS_ASIDE') {
        const built = await buildOwnObjects(context, copyContext)
        unbuilt = built.left
        if (built.errors.length > 0) error ??= objectsError(context.name, built.errors)
        // Statistics come last, so that they include indexes on expressions.
        more = [...more, ...(await withRetries(() => finishTarget(context, copyContext), context, steering.stop))]
      }
    }
    // Let a process that waits to divide the table continue.
    await context.planning.end()
  } catch (thrown) {
    error = worseError(error, asSluiceError(thrown))
  }
  const tally = standing.tally(inspected?.chunks ?? 0)
  const isRecountStopped = inspected?.isStopped === true
  const points = standing.views.size
  // With a stream, the applied changes make all chunks equal to one state of the source.
  const states = operation.follow === undefined ? Math.max(points, views.count) : 1
  const unfinished = tally.proved + tally.earlier < tally.chunks || unbuilt > 0 || isRecountStopped
  const leftOut = error === null && unfinished && leavesOut
  const open = leftOut ? 'skipped' : unfinished && steering.stop.aborted ? 'stopped' : 'ok'
  run.emit({
    type: 'table.finished',
    table: context.name,
    status: error === null ? open : 'failed',
    ms: Math.round(run.clock.ticks() - table.begun),
    copied: copyTally(tally, points, table, standing),
    ...notesOf(context, states, table, operation.deleteExtra === true, [
      ...more,
      ...(inspected?.notes ?? []),
      ...extraNotes(context, standing),
      ...context.timeLosses.notes(context.plan, operation.cassandra),
    ]),
    ...leftLine(context, copyContext.left),
    ...(error === null ? {} : { error: error.info() }),
  })
  table.ended = { tally, error, leftOut, unbuilt, isRecountStopped }
  return table.ended
}

async function totalsOf(
  context: TableContext,
  { again }: TableRun,
  { runs, shared }: CopyContext,
): Promise<TableTotals> {
  // Chunks proved by earlier executions or other tasks of a distributed run belong to the run.
  const begunMs = (await shared?.stateOf(context.key))?.begunMs ?? (await runs.startedMs())
  const standing = new TableTotals(context, again, begunMs)
  const { runId } = context.owner
  if (standing.canTakeTotals) standing.take(await chunkTotals(context.database, context.key, { runId, begunMs }))
  else for await (const chunk of wantedChunks(context)) standing.add(chunk)
  return standing
}

/**
 * Sets sequences and gathers statistics in the target. Reads sequences of the source after its last row, so that the
 * target never repeats a number that the source has given out.
 * @returns notes on sequences that the target cannot continue exactly
 */
async function finishTarget(
  { name, plan, target, signal, periods, emit }: TableContext,
  { from, left }: CopyContext,
): Promise<readonly string[]> {
  // Report this step: a table that is copied by periods is large, and the server may read it for minutes.
  if (periods !== undefined) {
    const message = 'all periods are copied: sequences are set, and the server gathers statistics (ANALYZE)'
    emit({ type: 'log', level: 'note', table: name, message })
  }
  const lost = new Set(leftOfTable(left, name).flatMap(({ kind, names }) => (kind === 'sequence' ? names : [])))
  const numbered = plan.source.columns.some(({ name: own, sequence }) => sequence !== undefined && !lost.has(own))
  const dependencies = numbered ? from.dependencies() : undefined
  const found =
    dependencies === undefined ? [] : await onSide('source', () => dependencies.sequences(plan.source, signal))
  const copied = found.flatMap((sequence) => {
    const column = plan.columns.find((one) => one.from === sequence.column)?.to
    return column === undefined || lost.has(sequence.column) ? [] : [{ ...sequence, column }]
  })
  const unread = copied.flatMap(({ column, next }) =>
    next === null
      ? [`the position of the sequence of ${column} could not be read: the target continues after the largest value`]
      : [],
  )
  return [...unread, ...(await target.finish(plan.target, signal, copied))]
}

function leftLine(
  { name, plan, target }: TableContext,
  left: readonly LeftBehind[],
): { readonly leftBehind?: readonly LeftBehind[] } {
  const own = [...leftOfTable(left, name), ...settingsRefused(plan, target)]
  return own.length === 0 ? {} : { leftBehind: own }
}

/** True if the table is not divided completely and no process is dividing it. */
async function isHalfCut(
  { key, planning, ring }: TableContext,
  runs: RunLedger,
  { tokens }: TableTotals,
): Promise<boolean> {
  if (ring !== null && openTokens(ring, tokens).length > 0) return true
  return (await runs.plan(key))?.planned !== true && !(await planning.isDividing())
}

function verdict(
  { name, plan, store }: TableContext,
  { chunks, failed, cause, codes, quarantined, isOpen, differing }: TableTotals,
  table: TableRun,
  { operation, shared }: CopyContext,
  leavesOut: boolean,
): SluiceError | null {
  if (failed > 0n) {
    // Another task may have given up the chunks for a transient cause: the next execution of this task retries them.
    const passing = shared === undefined ? undefined : transientCode(codes)
    // Rows that an attempt wrote are not rolled back. If the source has deleted some of them, a new attempt fails too.
    const stays = store.can.atomic !== 'chunk' && plan.onExisting === 'refuse' && codes.has('PROOF_FAILED')
    return new SluiceError(
      passing ?? 'CHUNKS_FAILED',
      `${failed} of ${chunks} chunks of ${name} failed: ${cause ?? 'no cause is recorded'}`,
      {
        kind: 'verify',
        retryable: passing !== undefined,
        hint: stays
          ? repairHint(plan)
          : 'correct the cause, then run the same command again: it does only what is not done',
      },
    )
  }
  if (differing > 0n && table.again === undefined) {
    return new SluiceError(
      'DIFFERENCES',
      `rows of ${name} differ from the source in ${countText(differing, 'chunk')}`,
      {
        reason: 'an earlier run with --again found these rows, but could not repair them',
        hint: 'sluice diff names the rows; run the same command with --again to compare and repair once more',
      },
    )
  }
  if (quarantined > 0n) {
    return new SluiceError(
      'ROWS_ASIDE',
      quarantined === 1n
        ? `one row of ${name} is not in the target`
        : `${quarantined} rows of ${name} are not in the target`,
      {
        // In a table with a stream only the stream's own run may write rows.
        hint: `sluice quarantine list shows the causes; correct the rows at the source, then ${operation.follow === undefined ? 'sluice quarantine retry' : 'run the same command again'}`,
      },
    )
  }
  if (table.done && !leavesOut && operation.part === undefined && isOpen) {
    return new SluiceError('CHUNKS_FAILED', `chunks of ${tableText(plan.source.table)} are not done`, {
      hint: 'run the same command again: it does only what is not done',
    })
  }
  return null
}

/**
 * Proves a table as a whole, because block chunks are no ranges of the target. The checksums or numbers of rows of all
 * chunks are added up, and compared with the checksum or number of rows of the whole table.
 * @returns notes on columns that this does not prove
 */
async function proveWhole(context: TableContext, totals: TableTotals): Promise<readonly string[]> {
  const { plan } = context
  if (plan.cut === 'key' || plan.proof === 'none') return []
  if (plan.proof === 'count') {
    await countWhole(context, totals.written)
    return []
  }
  return plan.onExisting === 'refuse' ? await sumWhole(context, totals) : []
}

/**
 * Refuses rows that an interrupted attempt left in a target that does not roll back, and that the source has deleted
 * since. The proof of a chunk does not find them if the source's ranges do not apply to the target. Compares the number
 * of rows with the number written, not with the source, which may have changed since.
 * @throws SluiceError PROOF_FAILED
 */
async function refuseLeftRows(
  context: TableContext,
  { written, begunMs }: TableTotals,
  runs: RunLedger,
): Promise<void> {
  const { plan, store, ledger, key, name } = context
  if (store.can.atomic === 'chunk' || plan.cut !== 'key' || plan.sortsAlike) return
  if (plan.onExisting !== 'refuse' || plan.proof === 'none') return
  if (!(await ledger.has(`attempt > 1 AND completed_ms >= ${begunMs}`))) return
  const surplus = await runs.planSurplus(key)
  if (surplus === null) return
  const { rows } = await inspectTarget(context, { by: 'all' }, (writer) => writer.digest({ scheme: 'count' }))
  const left = rows - written - (surplus > 0n ? surplus : 0n)
  if (left <= 0n) return
  throw new SluiceError(
    'PROOF_FAILED',
    `the target has ${countText(left, 'row')} of ${name} in addition to the rows that were copied into it`,
    {
      reason:
        'an interrupted attempt wrote rows that the source has deleted since, or another program wrote rows into the table',
      hint: repairHint(plan),
    },
  )
}

/** Compares the number of rows. A table that may have held rows before must hold at least the rows written. */
async function countWhole(context: TableContext, written: bigint): Promise<void> {
  const { plan } = context
  const { rows } = await inspectTarget(context, { by: 'all' }, (writer) => writer.digest({ scheme: 'count' }))
  const least = plan.onExisting === 'refuse' || rows < written ? written : rows
  compareDigests(plan, { rows: least, sum: '' }, { rows, sum: '' })
}

async function sumWhole(
  context: TableContext,
  { chunks, sourceChecksum, written }: TableTotals,
): Promise<readonly string[]> {
  const { plan } = context
  const copied: Digest = { rows: written, sum: checksumText(sourceChecksum) }
  const stored: Digest = await inspectTarget(context, { by: 'all' }, (writer) => writer.digest({ scheme: 'canonical' }))
  compareDigests(plan, copied, stored)
  const notes = plan.checked === undefined ? [] : await proveComputed(context, copied)
  // Record the proof of the whole table. Otherwise the ledger would show `canonical` for chunks without a checksum.
  await context.database.batch([wholeProof(context.key, chunks, stored)])
  return notes
}

/**
 * Compares generated columns of a table without a key as a whole: its chunks are no ranges of the target.
 * @param copied rows and checksum of all chunks, without generated columns
 * @returns a note if the source no longer holds the copied rows
 * @throws SluiceError PROOF_FAILED
 */
async function proveComputed(context: TableContext, copied: Digest): Promise<readonly string[]> {
  const { plan } = context
  const read = await rowsWithComputed(context, copied)
  if (read === null) {
    const names = (plan.checked ?? []).map(({ to }) => to).join(', ')
    return [
      `generated columns (${names}) were not compared: earlier runs copied rows that the source has changed since; --restart copies and compares all of it`,
    ]
  }
  const columns = writeColumns({ columns: comparedColumns(plan) })
  const request = { scheme: 'canonical', columns } as const
  refuseOtherValues(plan, read, await inspectTarget(context, { by: 'all' }, (writer) => writer.digest(request)))
  return []
}

/**
 * Digest of the rows with generated columns; null if the source has other rows now. Chunks of other runs have checksums
 * of written columns only, so the source is read again.
 */
async function rowsWithComputed(
  { plan, views, computedRows, signal }: TableContext,
  copied: Digest,
): Promise<Digest | null> {
  const own = computedRows.digest()
  if (own.rows === copied.rows) return own
  const { source: table, where = null } = plan
  const request = { table, range: { by: 'all' }, where, ordered: false } as const
  return await views.ask(async (view) => {
    const now = await view.digest({ ...request, columns: plannedReadColumns(plan) }, signal)
    if (!equalDigests(now, copied)) return null
    return await view.digest({ ...request, columns: plannedReadColumns({ columns: comparedColumns(plan) }) }, signal)
  })
}

/** The error to report: any other failure is worse than quarantined rows. */
function worseError(error: SluiceError | null, other: SluiceError | null): SluiceError | null {
  return error === null || (other !== null && error.code === 'ROWS_ASIDE') ? (other ?? error) : error
}

function copyTally(
  tally: Tallies,
  points: number,
  { again }: TableRun,
  { completionTimes: span }: TableTotals,
): CopyTally {
  const { unproved, counted } = tally
  return {
    ...(again === undefined ? {} : { again: againReported(again) }),
    chunks: dec(tally.chunks),
    proved: dec(tally.proved),
    earlier: dec(tally.earlier),
    ...(unproved === 0n ? {} : { unproved: dec(unproved) }),
    ...(counted === 0n ? {} : { counted: dec(counted) }),
    looked: dec(tally.looked),
    ...(span === null ? {} : { provedAt: [isoTime(span[0]), isoTime(span[1])] as const }),
    read: dec(tally.read),
    written: dec(tally.written),
    skipped: dec(tally.skipped),
    quarantined: dec(tally.quarantined),
    bytes: dec(tally.bytes),
    readPoints: dec(points),
  }
}

/** Note on existing rows in the copied ranges, which are not part of the proof. */
function extraNotes({ plan }: TableContext, { extra }: TableTotals): readonly string[] {
  if (extra === 0n) return []
  return [
    `the target holds ${countText(extra, 'row')} more than the source in the ranges that were copied: --on-existing ${plan.onExisting} keeps ${extra === 1n ? 'it' : 'them'}; only the rows that were read are proved`,
  ]
}

/** Notes, including limits of the proof. */
function notesOf(
  { plan, ring, owner }: TableContext,
  states: number,
  { again }: TableRun,
  deletes: boolean,
  more: readonly string[],
): { readonly notes?: readonly string[] } {
  const notes: string[] = ring === null || ring.part === null ? [...more] : [ring.part, ...more]
  if (again !== undefined) notes.push(...againNotes(again, plan, owner.runId, deletes))
  if (states > 1) {
    notes.push(
      `read from ${states} snapshots of the source: each chunk equals the source when it was read; if a program wrote meanwhile, the table as a whole equals no single snapshot`,
    )
  }
  if (plan.proof === 'count' && (again === undefined || again.proved.size + again.open.size === 0))
    notes.push('proved by the number of rows only')
  if (plan.proof === 'none') notes.push('nothing was proved, as requested')
  return notes.length === 0 ? {} : { notes }
}
