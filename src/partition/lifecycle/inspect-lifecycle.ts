/** Reads the lifecycle state of a table of the config file from the table and the ledgers. Read-only. */
import type { ArchiveRecord } from '../../archive/ledger/record.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { asSluiceError, nullOn, SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { oneSourceTable } from '../../archive/work/each-table.ts'
import { tableOfKey, type RunOwner } from '../../engine/copy/ledger/owner.ts'
import { hasSwitched, isOver, readCutovers, type CutoverRow } from '../../engine/follow/cutover/cutover-row.ts'
import { familyOf } from '../../engine/follow/cutover/family.ts'
import { DatabaseSteps, type DatabaseStep } from '../decommission/database/steps.ts'
import { DecommissionLedger } from '../decommission/decommission-ledger.ts'
import { partitionCoverage, type PartitionCoverage } from '../partition-coverage.ts'
import type { Run } from '../../engine/run/run-context.ts'
import type { LifecycleEntry } from './entry.ts'
import { isSwitched, lastCutover, type InspectedTable, type PartitionedCopy } from './inspected.ts'
import type { OpenStore, OpenStores } from './open-stores.ts'
import { archiveOf } from '../../archive/work/find-archive.ts'
import { tableStreamState, type TableStreamState } from './table-stream-state.ts'
import { isNamed } from '../decommission/old-table-switch.ts'

/**
 * State of a table and of its ledgers. A table that moved to another database is read there, whether or not the old
 * database still exists.
 * @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, CONNECT_FAILED, LEDGER_NEWER
 */
export async function inspectLifecycle(
  entry: LifecycleEntry,
  stores: OpenStores,
  run: Run<'log'>,
  noteUninspected: (what: string) => void,
): Promise<InspectedTable> {
  const { abort: signal } = run.interrupt
  const owner = { ...run.owner, runId: BigInt(run.runId) }
  const target = await stores.at(entry.to ?? entry.from)
  const moved = await movedTo(target.database, entry.table, owner)
  const source = await stores.at(entry.from).catch((error: unknown) => {
    const known = asSluiceError(error)
    if (moved === null || entry.to === undefined || known.code !== 'CONNECT_FAILED') throw error
    return known
  })
  const old = source instanceof SluiceError ? null : source
  const found =
    moved === null || old === null ? null : await oneSourceTable(old, entry.table, signal).catch(nullIfMissing)
  const there = moved === null ? await oneSourceTable(old ?? target, entry.table, signal) : found
  const name = there === null ? (moved?.oldTable ?? entry.table) : tableText(there.table)
  const streamOf = (id: string | undefined): Promise<TableStreamState | null> =>
    tableStreamState(target.database, { source: name, id, owner })
  const made = await switchesOf(name, old ?? target, target)
  // If the last cutover went back and its stream was ended, the move is given up: its cutovers are history.
  const back = made.at(-1)
  const isGivenUp =
    back !== undefined &&
    back.turn % 2 === 0 &&
    isOver(back.status) &&
    (await streamOf(back.reverse))?.row.status === 'ended'
  const switches = isGivenUp ? [] : made
  const last = lastCutover({ switches })
  // Read the database in which the table has its public name now.
  const { store, database, ledgers } = isSwitched({ switches }) || old === null ? target : old
  const between = last?.isBetween === true && isSwitched({ switches }) ? last : null
  const table =
    there !== null && store === old?.store && between === null
      ? there
      : await oneSourceTable({ store }, between?.publicTable ?? entry.table, signal)
  const isForward = last !== null && last.turn % 2 === 1
  // The ledger of a stream is in the database that it writes to.
  const wayBackOf = async ({ isBetween, reverse, publicTable }: CutoverRow): Promise<TableStreamState | null> => {
    const place = isBetween ? old : target
    if (place === null) return null
    return await tableStreamState(place.database, { source: isBetween ? publicTable : name, id: reverse, owner })
  }
  const { record: archive } = await archiveOf({ store, ledgers }, table, signal)
  const stream = await streamOf(last === null ? undefined : isForward ? last.stream : last.reverse)
  return {
    entry: between === null ? entry : entryInTarget(entry, tableText(table.table), name),
    name: between === null ? name : tableText(table.table),
    store,
    database,
    table,
    ...(await partitionsOf(store, table, { entry, archive }, signal)),
    copy: isSwitched({ switches })
      ? null
      : await copyOf(stream, { entry, target, isBetween: store !== target.store }, signal),
    earlier: isSwitched({ switches }) ? null : await earlierOf(stream, old ?? target, target, signal),
    archive,
    stream,
    wayBack: isForward && hasSwitched(last.status) ? await wayBackOf(last) : null,
    retired: last === null ? [] : await new DecommissionLedger(target.database, last, run).steps(),
    left:
      between === null || stream === null
        ? null
        : {
            url: stream.row.source,
            step: await lastStep(target.database, stream.row.sourceIdentity, run),
            error: source instanceof SluiceError ? source : null,
            isNamed: entry.to !== undefined,
          },
    switches,
    now: new Date(run.clock.now()),
    run,
    noteUninspected,
  }
}

/** The partitioned table that a stream fills. */
async function copyOf(
  stream: TableStreamState | null,
  {
    entry,
    target,
    isBetween,
  }: { readonly entry: LifecycleEntry; readonly target: OpenStore; readonly isBetween: boolean },
  signal: AbortSignal,
): Promise<PartitionedCopy | null> {
  if (stream === null || stream.row.status === 'ended') return null
  const { store } = target
  const table = await filledTable(stream, store, signal)
  if (table === null) return null
  const { standing } = await partitionsOf(store, table, { entry, archive: null }, signal)
  const name = tableText(table.table)
  return standing === null ? null : { name: isBetween ? `${name} of ${store.label}` : name, standing }
}

/** The table that a stream fills, or filled; null if it no longer exists. */
async function filledTable(
  { key }: TableStreamState,
  store: CopyStore,
  signal: AbortSignal,
): Promise<TableSpec | null> {
  return await oneSourceTable({ store }, tableText(tableOfKey(key)), signal).catch(nullIfMissing)
}

/** What an ended stream has left: a new stream needs --restart, and that its table is gone or empty. */
async function earlierOf(
  stream: TableStreamState | null,
  source: OpenStore,
  { store }: OpenStore,
  signal: AbortSignal,
): Promise<InspectedTable['earlier']> {
  if (stream === null || stream.row.status !== 'ended' || stream.chunks === 0n) return null
  // A stream from another database: its table may be the one that users write to.
  if (stream.row.sourceIdentity !== source.store.identity) return null
  const table = await filledTable(stream, store, signal)
  return { table: table === null ? null : tableText(table.table) }
}

/**
 * The entry for a table that is in the second database now.
 * @param name name of the table in the second database
 * @param before name of the table in the first database
 */
function entryInTarget(entry: LifecycleEntry, name: string, before: string): LifecycleEntry {
  const { words } = entry
  const table = name === before ? entry.table : name
  return { ...entry, table, words: { ...words, table: words.moved ?? words.table, here: words.back ?? words.stream } }
}

/** The cutover that moved a table to this database; null if a later stream shows that its writers moved back. */
async function movedTo(database: LedgerDatabase, table: string, owner: RunOwner): Promise<CutoverRow | null> {
  const turns = (await readCutovers(database)).filter(
    ({ isBetween, oldTable, status, turn }) =>
      isBetween && turn % 2 === 1 && hasSwitched(status) && isNamed(oldTable, table),
  )
  const last = turns.at(-1)
  if (last === undefined) return null
  const stream = await tableStreamState(database, { source: last.oldTable, owner })
  return stream === null || (stream.row.status === 'ended' && stream.row.id === last.stream) ? last : null
}

/** For `catch`: null if the table does not exist. */
const nullIfMissing = nullOn('NO_SUCH_TABLE')

async function lastStep(database: LedgerDatabase, identity: string, run: Run<'log'>): Promise<DatabaseStep | null> {
  const last = (await new DatabaseSteps(database, run).of(identity)).at(-1)
  return last === undefined || last.step === 'active' ? null : last
}

/**
 * Cutovers of the newest move of a table, oldest first. One between two databases is in the ledger of the database to
 * which writers moved.
 */
async function switchesOf(name: string, source: OpenStore, target: OpenStore): Promise<readonly CutoverRow[]> {
  const rows = await allSwitchesOf(name, source, target)
  // Ids of streams are times: the newest move has the greatest one.
  const [newest] = rows.map(({ stream }) => BigInt(stream)).toSorted((a, b) => Number(b - a))
  if (newest === undefined) return []
  const { turns, preparing } = familyOf(rows, String(newest))
  return [...turns, ...preparing]
}

async function allSwitchesOf(name: string, source: OpenStore, target: OpenStore): Promise<readonly CutoverRow[]> {
  const forward = (await readCutovers(target.database)).filter(
    ({ isBetween, publicTable, oldTable }) => (isBetween ? oldTable : publicTable) === name,
  )
  if (source.store === target.store) return forward
  const back = (await readCutovers(source.database)).filter(
    ({ isBetween, publicTable }) => isBetween && publicTable === name,
  )
  return [...forward, ...back]
}

async function partitionsOf(
  store: CopyStore,
  table: TableSpec,
  { entry, archive }: { readonly entry: LifecycleEntry; readonly archive: ArchiveRecord | null },
  signal: AbortSignal,
): Promise<{ readonly standing: PartitionCoverage | null; readonly odd: SluiceError | null }> {
  const maintenance = store.offers.maintenance
  if (maintenance === undefined) return { standing: null, odd: null }
  try {
    const { calendar, epoch } = entry
    const archived = (): Promise<ArchiveRecord | null> => Promise.resolve(archive)
    const options = { epoch, archived, sizes: true, signal }
    return { standing: await partitionCoverage(maintenance, table, calendar, options), odd: null }
  } catch (error) {
    const known = asSluiceError(error)
    if (known.kind !== 'unsupported' && known.code !== 'BAD_FLAG') throw known
    return { standing: null, odd: known }
  }
}
