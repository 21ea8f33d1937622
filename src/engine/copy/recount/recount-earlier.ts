/**
 * Checks chunks that earlier runs proved: reports when they were proved, and whether both sides still have the expected
 * numbers of rows.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../../model/copy/column-type.ts'
import { rangeText } from '../../../model/copy/range.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { countText } from '../../../shared/figures.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { chunkKeyBounds } from '../chunk/chunk-events.ts'
import { expiredCaution } from '../diff/expiry.ts'
import type { TableContext } from '../table/context.ts'
import { acceptance, recordedAccepted, type AcceptedTotals } from '../ledger/accepted.ts'
import { batchOnce } from '../ledger/once.ts'
import type { SharedTables } from '../ledger/shared-tables.ts'
import { CLOSED } from '../ledger/stored-chunk.ts'
import { withRetries } from '../workers/retries.ts'
import type { CopyContext } from '../table/copy-context.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import { wantedChunks } from '../plan/wanted-chunks.ts'
import type { TableTotals } from '../table/table-totals.ts'
import { recount, type RecountedChunk, type CountResult } from './recount.ts'
import { isRanged, wholeReason } from './ranged.ts'

/** Limit of chunks named in a message. */
const MAX_NAMED = 5
const NOTED_AT_ONCE = 20

export type EarlierInspection = {
  /** Chunks of other runs that were counted on both sides. */
  readonly chunks: number
  /** True if the count was stopped before its end. */
  readonly isStopped: boolean
  readonly error: SluiceError | null
  readonly notes: readonly string[]
}

/** Pause before the lease is requested again, ms. */
const TURN_WAIT_MS = 500

/**
 * `mine`: this run has the lease and must count now. `by`: the other run that has counted. Null if this run was asked
 * to stop while it waited.
 */
type RecountTurn = 'mine' | { readonly by: bigint } | null

/**
 * Counts the rows of chunks that other runs completed, unless the options exclude it.
 * @param totals of the table's chunks
 * @throws as `recount`
 */
export async function recountEarlier(
  context: TableContext,
  totals: TableTotals,
  copyContext: CopyContext,
): Promise<EarlierInspection> {
  const { operation, steering } = copyContext
  const { ledger, owner } = context
  const base: EarlierInspection = { chunks: 0, isStopped: false, error: null, notes: [] }
  if (totals.earlier === 0n) return base
  const said = `${count(totals.earlier, totals.chunks)} ${copiedText(totals)}, with their values at that time`
  if (operation.noLook === true || operation.verify === 'none')
    return { ...base, notes: [`${said}; they were not compared now`] }
  // Chunks completed by another process since this run began need no count.
  const old = Number(totals.old)
  const { shared } = copyContext
  if (old === 0)
    return {
      ...base,
      notes: [`${said}, ${shared === undefined ? 'by another program' : 'since this shared run began'}`],
    }
  if (!isRanged(context.plan) && (await ledger.has(`NOT ${CLOSED}`)))
    return { ...base, notes: [`${said}; the table can only be counted as a whole, after all of its chunks are copied`] }
  const turn = shared === undefined ? 'mine' : await recountTurn(context, shared, steering.stop)
  if (turn === null) return { ...base, isStopped: true }
  if (turn !== 'mine')
    return { ...base, notes: [`${said}; run ${turn.by}, another task of this shared run, compared their counts`] }
  try {
    const inspected = await countEarlier(context, totals, said, copyContext)
    if (shared !== undefined && !inspected.isStopped && inspected.error === null)
      await shared.noteRecounted(context.key, owner.runId)
    return inspected
  } finally {
    if (shared !== undefined) await endTurn(context).catch(() => undefined)
  }
}

/**
 * One task of a distributed run counts the earlier chunks, and the other tasks use its result. The task needs the lease
 * for dividing the table, so that another task can replace a lost one. Waits for a task that counts.
 */
async function recountTurn(context: TableContext, shared: SharedTables, stop: AbortSignal): Promise<RecountTurn> {
  const { key, planning, name, emit } = context
  const inspectedBy = async (): Promise<bigint | null> => (await shared.stateOf(key))?.lookedBy ?? null
  for (let reported = false; ; reported = true) {
    const before = await inspectedBy()
    if (before !== null) return { by: before }
    if (await planning.take()) {
      const meanwhile = await inspectedBy()
      if (meanwhile === null) return 'mine'
      await endTurn(context)
      return { by: meanwhile }
    }
    if (stop.aborted) return null
    if (!reported)
      emit({
        type: 'log',
        level: 'note',
        table: name,
        message: 'another task is counting it or dividing it into chunks; waiting',
      })
    await sleep(TURN_WAIT_MS, undefined, { signal: stop }).catch(() => undefined)
  }
}

/** Releases the lease. For a table without a key the run keeps the lease until the table is finished. */
async function endTurn({ plan, planning }: TableContext): Promise<void> {
  if (plan.cut === 'key') await planning.end()
}

/** @param chunksText text about the chunks, for the notes */
async function countEarlier(
  context: TableContext,
  totals: TableTotals,
  chunksText: string,
  copyContext: CopyContext,
): Promise<EarlierInspection> {
  const { operation, steering } = copyContext
  const { ledger, owner, database, key } = context
  const base: EarlierInspection = { chunks: 0, isStopped: false, error: null, notes: [] }
  const old = Number(totals.old)
  const whole = !isRanged(context.plan)
  const planSurplus = whole ? await surplusOfPlan(context, copyContext) : null
  const others = `${CLOSED} AND (run_id IS NULL OR run_id <> ${owner.runId})`
  const before = `(completed_ms IS NULL OR completed_ms < ${totals.begunMs})`
  const result = await withRetries(
    () => {
      const chunks = whole ? ledger.each(others) : wantedChunks(context, `${others} AND ${before}`)
      return recount(context, { chunks, count: old }, planSurplus, steering.stop)
    },
    context,
    steering.stop,
  )
  if (result === null) return { ...base, isStopped: true }
  const { found } = result
  const notes = [...(await noteUnknown(context, result.unknown, copyContext))]
  const accepts = isAccepted(context, operation.acceptDifference ?? [])
  for (const { one, side } of found) report(context, one, side, accepts)
  if (accepts)
    await accept(
      context,
      found.map(({ one }) => one),
      copyContext,
    )
  const accepted = await recordedAccepted(database, key)
  const equal = found.length === 0
  const now = `their counts were compared now${equal ? `, and are ${equalText(result)}` : ''}`
  notes.unshift(`${chunksText}; ${now}; --again compares values`)
  if (accepted !== null) {
    const at = dateOf(accepted.lastMs)
    notes.push(`${acceptedText(accepted)} accepted on ${at} by ${accepted.by.join(', ')}`)
  }
  const error = equal || accepts ? null : differs(context, found)
  return { chunks: old, isStopped: false, error, notes }
}

/** @throws SluiceError BAD_FLAG if --accept-difference names a table that is not copied */
export function refuseUnknownTables(accepted: readonly string[], tables: PlannedCopy['tables']): void {
  const known = tables.map(({ source: { table }, targetName }) => [
    tableText(table),
    table.name,
    targetName.name,
    tableText(targetName),
  ])
  for (const name of accepted) {
    if (known.some((names) => names.includes(name))) continue
    throw new SluiceError('BAD_FLAG', `--accept-difference names ${name}, which is not copied`, {
      hint: `name one of ${known.map(([first]) => first).join(', ')}`,
    })
  }
}

function isAccepted({ name, plan, key }: TableContext, accepted: readonly string[]): boolean {
  const names = [name, plan.source.table.name, key.name, `${key.schema}.${key.name}`]
  return accepted.some((one) => names.includes(one))
}

/**
 * Surplus of a table that is counted as a whole; null if unknown. Ledger version 1 did not record it: it is 0 if the
 * table was empty before the copy.
 */
async function surplusOfPlan({ key, plan }: TableContext, { runs }: CopyContext): Promise<bigint | null> {
  const known = await runs.planSurplus(key)
  if (known !== null) return known
  const isOurs = (await runs.plan(key))?.madeHere === true
  return isOurs || (plan.cut !== 'key' && plan.onExisting === 'refuse') ? 0n : null
}

/** Records the present surplus where no run has recorded one. @returns a note about this; empty if all were recorded */
async function noteUnknown(
  context: TableContext,
  unknown: readonly RecountedChunk[],
  { runs }: CopyContext,
): Promise<readonly string[]> {
  if (unknown.length === 0) return []
  const surplus = unknown.reduce((sum, { source, target }) => sum + target - source, 0n)
  const ofChunks = unknown.flatMap(({ chunk, source, target }) =>
    chunk === null ? [] : [{ chunk, surplus: target - source }],
  )
  await context.ledger.noteSurplus(ofChunks)
  for (const { chunk, source, target } of unknown) {
    if (chunk !== null) continue
    await runs.notePlanSurplus(context.key, target - source - (await context.ledger.quarantinedSurplus()))
  }
  const what = ofChunks.length === 0 ? 'the table' : `${ofChunks.length} of its chunks`
  return [
    `no earlier run has recorded how many rows of the target belong to ${what}: later runs expect the number that this run counted, ${signed(surplus)} rows compared with the source`,
  ]
}

async function accept(
  context: TableContext,
  found: readonly RecountedChunk[],
  { owner, run, runs }: CopyContext,
): Promise<void> {
  const { database, key } = context
  const by = { runId: owner.runId, actor: run.actor }
  for (let at = 0; at < found.length; at += NOTED_AT_ONCE) {
    const statements = found.slice(at, at + NOTED_AT_ONCE).flatMap(({ chunk, source, expected, target }) => {
      return acceptance(database, key, by, { chunk, source, expected: expected ?? target, target })
    })
    await batchOnce(database, owner.id, statements)
  }
  for (const { chunk, expected, target } of found) {
    if (chunk !== null || expected === null) continue
    await runs.notePlanSurplus(key, ((await runs.planSurplus(key)) ?? 0n) + target - expected)
  }
}

function report(
  { emit, name, plan }: TableContext,
  one: RecountedChunk,
  side: 'source' | 'target',
  accepted: boolean,
): void {
  const { chunk, before, source, expected, target } = one
  emit({
    type: 'look.difference',
    table: name,
    ...(chunk === null ? {} : { chunk: String(chunk.no), ...chunkKeyBounds(chunk.range, plan) }),
    side,
    sourceBefore: dec(before),
    source: dec(source),
    expected: dec(expected ?? target),
    target: dec(target),
    ...(accepted ? { accepted: true as const } : {}),
  })
}

function differs(
  { name, plan, store }: TableContext,
  found: readonly { readonly one: RecountedChunk; readonly side: 'source' | 'target' }[],
): SluiceError {
  const atTarget = found.filter(({ side }) => side === 'target')
  const shown = (atTarget.length > 0 ? atTarget : found).slice(0, MAX_NAMED).map(({ one, side }) => textOf(one, side))
  const more = (atTarget.length > 0 ? atTarget.length : found.length) - shown.length
  const why = found.some(({ one }) => one.chunk === null) ? { reason: wholeReason(plan, store.can) } : {}
  const list = `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`
  const restart = plan.onExisting === 'refuse' ? '--restart --on-existing upsert' : '--restart'
  const accepting = `--accept-difference ${shellQuote(name)}`
  // Without a key, rows can be neither compared nor upserted.
  const hintOf = (again: string): string =>
    plan.cut === 'key'
      ? `to ${again}; to copy everything, add ${restart}; to accept the difference, add ${accepting}`
      : `empty the target's table and copy it again with --restart, or accept the difference with ${accepting}`
  if (atTarget.length === 0) {
    return new SluiceError('COUNTS_DIFFER', `the source's ${name} has changed since it was copied: ${list}`, {
      ...why,
      // Without --delete-extra, --again keeps the rows that the source has deleted.
      hint: hintOf(
        found.some(({ one }) => one.source < one.before)
          ? `copy what changed, add --again, and --delete-extra to remove what the source no longer has${expiredCaution(plan)}`
          : 'copy what changed, add --again',
      ),
    })
  }
  return new SluiceError(
    'COUNTS_DIFFER',
    `the target no longer has the rows of ${name} that were copied into it: ${list}`,
    {
      ...why,
      hint: hintOf('compare and restore rows, add --again'),
    },
  )
}

function textOf({ chunk, before, source, expected, target }: RecountedChunk, side: 'source' | 'target'): string {
  const what = chunk === null ? 'the table' : `chunk ${chunk.no} (${rangeText(chunk.range)})`
  if (side === 'source') return `${what}: ${signed(source - before)} rows in the source`
  const beyond = expected === null ? 0n : expected - source
  const own = beyond > 0n ? ` (${source} as in the source, and ${beyond} that only the target had)` : ''
  return `${what}: expected ${expected ?? target}${own}, found ${target}`
}

/** Text for counts as expected. Surplus and missing rows are summed separately, so that they cannot cancel out. */
function equalText({ more, fewer }: CountResult): string {
  if (more === 0n && fewer === 0n) return 'equal on both sides'
  const parts = [
    ...(more > 0n ? [`${countText(more, 'row')} more than the source`] : []),
    ...(fewer > 0n ? [`${countText(fewer, 'row')} fewer`] : []),
  ]
  return `unchanged since earlier runs: the target holds ${parts.join(', and in other chunks ')}${more > 0n ? '' : ' than the source'}`
}

function acceptedText({ more, fewer }: AcceptedTotals): string {
  const parts = [...(more > 0n ? [`+${more}`] : []), ...(fewer > 0n ? [`-${fewer}`] : [])]
  const isOne = more + fewer === 1n
  return `${isOne ? 'a difference' : 'differences'} of ${parts.join(' and ') || '0'} ${isOne ? 'row was' : 'rows were'}`
}

function count(some: bigint, all: bigint): string {
  return `${some} of ${countText(all, 'chunk')} ${some === 1n ? 'was' : 'were'}`
}

/** Text on how and when the chunks were copied: `proved on …`, unless some of them have a weaker proof. */
function copiedText(totals: TableTotals): string {
  const { unproved, counted } = totals
  if (unproved + counted === 0n) return `proved ${whenOf(totals)}`
  const weak = [
    ...(unproved === 0n ? [] : [`${unproved} with --verify none`]),
    ...(counted === 0n ? [] : [`${counted} compared by the number of rows only`]),
  ]
  return `copied ${whenOf(totals)} (${weak.join(', ')})`
}

function whenOf({ completionTimes: span }: TableTotals): string {
  if (span === null) return 'by an earlier run'
  const [first, last] = span.map(dateOf)
  return first === last ? `on ${first}` : `from ${first} to ${last}`
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function signed(rows: bigint): string {
  return rows > 0n ? `+${rows}` : String(rows)
}
