/** Reports the start of a table: progress of earlier runs, and completed chunks that are skipped. */
import { hasWholeBounds, tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { isoTime } from '../../../shared/clock.ts'
import { countText } from '../../../shared/figures.ts'
import type { againWork } from '../again/again-work.ts'
import { chunkKeyBounds } from '../chunk/chunk-events.ts'
import { cleanChunks } from '../ledger/chunk-totals.ts'
import { CLOSED, weakProofs } from '../ledger/stored-chunk.ts'
import { AT_ONCE } from '../recount/recount.ts'
import { isRanged } from '../recount/ranged.ts'
import type { PlannedTable } from '../plan/plan-copy.ts'
import { wantedChunks } from '../plan/wanted-chunks.ts'
import type { TableContext } from './context.ts'
import type { CopyContext } from './copy-context.ts'

/** A planned table without an error. */
export type CopyableTable = Extract<PlannedTable, { readonly error: null }>

/** @param again for a run that compares copied chunks: receives the numbers of the chunks to compare */
export async function reportStarted(
  context: TableContext,
  { targetName, extent, plan }: CopyableTable,
  copyContext: CopyContext,
  again: ReturnType<typeof againWork> | null,
): Promise<void> {
  const { name: table, store, ring, periods, emit } = context
  const earlier = await earlierWork(context)
  // The number of blocks is known only after reading.
  if (context.plan.cut === 'key' && earlier.last > 0n) copyContext.steering.noteLastChunk(table, earlier.last)
  // Chunks that this run must compare are not reported as completed.
  const proved = again === null ? earlier.closed : { chunks: 0n, written: 0n, weak: 0n }
  const weak = weakProofs(context.plan.proof)
  emit({
    type: 'copy.started',
    table,
    to: tableText(targetName),
    rows: dec(extent.rows),
    estimated: !extent.exact,
    key: plan.source.key,
    ...(extent.low === null ? {} : { low: extent.low }),
    ...(extent.high === null ? {} : { high: extent.high }),
    ...(plan.source.ring === undefined ? {} : { ring: plan.source.ring }),
    chunkRows: dec(plan.chunkRows),
    writers: dec(store.can.writers),
    chunks: dec(earlier.chunks),
    done: {
      chunks: dec(proved.chunks),
      rows: dec(proved.written),
      ...(proved.weak === 0n ? {} : { unproved: dec(proved.weak) }),
    },
  })
  reportCost(context, proved, copyContext)
  const isMany = ring === null && periods === undefined && again === null && proved.chunks > REPORTED_ONE_BY_ONE
  if (isMany) await reportSummed(context)
  for await (const chunk of wantedChunks(context, isMany ? `${CLOSED} AND rows_quarantined > 0` : CLOSED)) {
    if (again !== null) {
      again.left.add(chunk.no)
      continue
    }
    emit({
      type: 'chunk.skipped',
      table,
      chunk: String(chunk.no),
      ...chunkKeyBounds(chunk.range, plan),
      read: dec(chunk.read),
      written: dec(chunk.written),
      skipped: '0',
      quarantined: dec(chunk.quarantined),
      ...(weak.includes(chunk.proof ?? '') ? { checksum: { source: chunk.sourceSum ?? '', target: '' } } : {}),
      ...(chunk.completedMs === null ? {} : { provedAt: isoTime(chunk.completedMs) }),
      attempt: chunk.attempt,
      ...(chunk.bytes === 0n ? {} : { bytes: dec(chunk.bytes) }),
    })
  }
}

/** Maximum number of earlier chunks reported one by one. Above it, only chunks with quarantined rows are reported. */
const REPORTED_ONE_BY_ONE = 10_000n

async function reportSummed({ database, key, name, plan, emit }: TableContext): Promise<void> {
  const { sums, states } = await cleanChunks(database, key, hasWholeBounds(plan.source), weakProofs(plan.proof))
  const none = { read: '0', written: '0', skipped: '0', quarantined: '0', proved: '0' }
  emit({
    type: 'chunks.summary',
    table: name,
    begun: '0',
    chunks: '0',
    work: {},
    bytes: '0',
    retries: '0',
    workers: 0,
    here: none,
    before: sums,
    states,
  })
}

/** @property weak number of chunks with a weaker proof than the plan's */
type CompletedChunks = { readonly chunks: bigint; readonly written: bigint; readonly weak: bigint }

/** Chunks that this run wants, and the completed ones among them. */
type EarlierWork = { readonly chunks: bigint; readonly closed: CompletedChunks; readonly last: bigint }

async function earlierWork(context: TableContext): Promise<EarlierWork> {
  const weak = weakProofs(context.plan.proof)
  if (context.ring === null || context.ring.part === null) return await context.ledger.totals(weak)
  let [chunks, closed, written, last, weakly] = [0n, 0n, 0n, 0n, 0n]
  for await (const chunk of wantedChunks(context)) {
    chunks++
    if (BigInt(chunk.no) > last) last = BigInt(chunk.no)
    if (chunk.status !== 'completed') continue
    closed++
    written += chunk.written
    if (weak.includes(chunk.proof ?? '')) weakly++
  }
  return { chunks, closed: { chunks: closed, written, weak: weakly }, last }
}

/** Reports the cost of counting earlier chunks: a service that counts requests bills the rows read. */
function reportCost(
  { name, store, plan }: TableContext,
  { chunks, written: rows }: CompletedChunks,
  { operation, run }: CopyContext,
): void {
  if (chunks === 0n || store.can.requests === undefined || operation.noLook === true || operation.verify === 'none')
    return
  const requests = isRanged(plan) ? Math.ceil(Number(chunks) / AT_ONCE) : 1
  run.emit({
    type: 'log',
    level: 'note',
    table: name,
    message: `counting the rows of ${chunks} earlier ${chunks === 1n ? 'chunk' : 'chunks'} reads about ${rows} rows of the target, which are billed, in ${countText(requests, 'request')}; --no-look skips it`,
  })
}
