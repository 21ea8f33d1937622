/** The existing stream of a plan's tables, and what prevents a run from resuming it. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { Cdc, FollowedTable, StreamFault } from '../../../model/follow/port.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import type { FollowingParts, StreamSides } from './preflight.ts'
import { ledgerKey, sourceOf, type FollowTable } from './followed-table.ts'
import { haltStream, missingTables, reportedHalt } from './halt.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import { type StreamLedger } from '../../copy/ledger/streams.ts'
import { streamNamed, streamsIntoTables } from '../../copy/ledger/stream-lookup.ts'
import type { WantedStream } from '../../copy/companion.ts'
import { streamTableNames } from './requested-stream.ts'

/**
 * The stream of the plan's tables, or the stream `asked`; null if there is none.
 * @param asked the stream that the same command began
 * @throws SluiceError TABLE_FOLLOWED if a stream has other tables as well, or reads these from another source
 */
export async function streamOfPlan(
  planned: PlannedCopy,
  asked: WantedStream | null,
  database: LedgerDatabase,
): Promise<StreamRow | null> {
  const [found, ...more] = await streamsIntoTables(
    database,
    planned.tables.map((one) => ledgerKey(one, planned)),
  )
  if (asked !== null && more.length === 0 && (found === undefined || found.id === asked.row.id))
    return found ?? asked.row
  if (found === undefined) return null
  const known = [...(await streamTableNames(found.id, database))]
  const wanted = new Set(planned.tables.map(({ source }) => tableText(source.table)))
  const isSame = more.length === 0 && known.length === wanted.size && known.every((name) => wanted.has(name))
  if (isSame && found.sourceIdentity === planned.from.identity) return found
  throw new SluiceError('TABLE_FOLLOWED', `stream ${found.id} already follows ${known.join(', ')}`, {
    reason: isSame
      ? `it reads from ${found.source}`
      : 'a run of a stream must name all tables of the stream, and no others',
    hint: `resume it with sluice follow ${found.id}, or end it first with sluice follow ${found.id} --end`,
  })
}

/**
 * Reads the stream again, once this program owns it: another program may have changed it during the wait for the lease.
 * @throws SluiceError LEDGER_BUSY if the stream has ended
 */
export async function rereadStream(id: string, database: LedgerDatabase): Promise<StreamRow> {
  const found = await streamNamed(database, id)
  if (found === null || found.status === 'ended') throw endedMeanwhile(id)
  return found
}

/** @throws SluiceError LEDGER_BUSY if the requested stream is no longer the stream of these tables */
export function refuseOther(within: FollowingParts['within'], found: StreamRow | null): void {
  if (within !== undefined && found?.id !== within.stream) throw endedMeanwhile(within.stream)
}

function endedMeanwhile(stream: string): SluiceError {
  return new SluiceError('LEDGER_BUSY', `stream ${stream} has ended meanwhile`, {
    reason: 'another program made the cutover of the stream, or ended the stream',
    hint: 'run the same command again: it shows the new state',
  })
}

/**
 * How a stream captures changes: an existing stream keeps its method, and a new stream uses the requested one.
 * @param found null for a new stream
 * @throws SluiceError BAD_FLAG
 */
export function cdcOf(found: Pick<StreamRow, 'id' | 'wishes'> | null, asked: Cdc | undefined): Cdc {
  if (found === null) return asked ?? 'slot'
  const { follow } = JSON.parse(found.wishes) as Pick<CopyOperation, 'follow'>
  const began = follow?.cdc ?? 'slot'
  if (asked === undefined || asked === began) return began
  const by: Readonly<Record<Cdc, string>> = { slot: 'a replication slot', trigger: 'triggers' }
  throw new SluiceError('BAD_FLAG', `stream ${found.id} reads changes by ${by[began]}, not by ${by[asked]}`, {
    hint: `to resume the stream, leave out --cdc; to read changes by ${by[asked]}, add --restart, which copies the tables again`,
  })
}

/**
 * Checks for lost changes before planning errors are reported, because lost changes explain more.
 * @param recopied names of tables that are copied again: their faults are ignored
 * @throws SluiceError STREAM_HALTED, SLOT_LOST
 */
export async function refuseFaulty(
  { id, status, startRecord, faults: known }: StreamRow,
  { planned, run }: FollowingParts,
  { changes }: StreamSides,
  ledger: StreamLedger,
  recopied: ReadonlySet<string>,
): Promise<void> {
  const left = known.filter(({ tables }) => tables.some((name) => !recopied.has(name)))
  if (status === 'halted' && (left.length > 0 || known.length === 0))
    throw reportedHalt(id, union(left, known), run, await missingSourceTables(id, planned, ledger))
  const gone = await missingSourceTables(id, planned, ledger)
  if (startRecord === null && gone.length > 0) throw missingTables(id, gone)
  // A program that runs the stream checks by itself. From outside, a slot that advances during the check would seem to
  // be ahead of the target.
  if (startRecord === null || (await ledger.lease.currentOwner(id)) !== null) return
  const { position } = await ledger.progress(id, changes)
  const tables = planned.tables
    .map(({ source, plan }) => (plan === null ? unknownTable(source) : sourceOf(plan)))
    .filter(({ table }) => !recopied.has(tableText(table.table)))
    .concat(gone.map((name) => unknownTable({ ...NO_TABLE, table: { name } })))
  const { faults } = await changes.verify(startRecord, tables, changes.position(position), run.interrupt.abort)
  // If the position has changed, a program that seemed dead runs the stream. Do not halt it: `takeStream` reports it.
  if (faults.length > 0 && (await ledger.progress(id, changes)).position === position)
    throw await haltStream(ledger, id, union(faults, known), run, gone)
  if (gone.length > 0) throw missingTables(id, gone)
}

/** All faults: a recorded fault stays until its table is emptied, even if the source no longer shows the fault. */
function union(found: readonly StreamFault[], known: readonly StreamFault[]): readonly StreamFault[] {
  return [...found, ...known.filter(({ message }) => !found.some((one) => one.message === message))]
}

const NO_TABLE = { identity: '', columns: [], key: [], primary: false, rows: 0n, bytes: 0n } as const

/** A table of which only the name is known. */
function unknownTable(table: TableSpec): FollowedTable {
  return { table, columns: [], identity: [] }
}

/** Names of the stream's tables that the source does not have, `tableText`. */
export async function missingSourceTables(
  stream: string,
  { tables }: PlannedCopy,
  { database }: Pick<StreamLedger, 'database'>,
): Promise<readonly string[]> {
  const there = new Set(tables.map(({ source }) => tableText(source.table)))
  return [...(await streamTableNames(stream, database))].filter((name) => !there.has(name))
}

/** Pause (ms) of the program with the smallest stream id. Others pause ten times as long, so they find its stream. */
const RETRY_MS = 200

/**
 * Begins a stream unless another program begins one at the same time. Each program that finds another stream withdraws
 * its own, so at most one remains. The program with the smallest stream id begins again before the others check.
 * @param begin records the stream in the ledger
 * @throws SluiceError TABLE_FOLLOWED if another program has these tables now; the reason of the signal
 */
export async function beginExclusively(
  stream: string,
  tables: readonly Pick<FollowTable, 'key'>[],
  ledger: StreamLedger,
  { begin, signal }: { readonly begin: () => Promise<void>; readonly signal: AbortSignal },
): Promise<void> {
  const others = async (): Promise<readonly bigint[]> => {
    const all = await streamsIntoTables(
      ledger.database,
      tables.map(({ key }) => key),
    )
    return all.flatMap(({ id }) => (id === stream ? [] : [BigInt(id)]))
  }
  for (;;) {
    await begin()
    const met = await others()
    if (met.length === 0) return
    await ledger.note(stream, 'ended')
    const isFirst = met.every((id) => BigInt(stream) < id)
    await sleep(isFirst ? RETRY_MS : RETRY_MS * 10, undefined, { signal }).catch(() => undefined)
    throwIfAborted(signal)
    const [there] = await others()
    if (there === undefined) continue
    throw new SluiceError('TABLE_FOLLOWED', `run ${there} began stream ${there} for these tables at the same time`, {
      hint: `sluice attach ${there} shows that run; if it has ended, run the same command to resume the stream`,
    })
  }
}
