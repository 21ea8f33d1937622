/** Looks at a table of the config file: what it is now, and what ledgers say of its way there. Nothing is changed. */
import type { ArchiveRecord } from '../../archive/ledger/record.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import { tablesOf } from '../archiving/each-table.ts'
import { noSuchTable } from '../copy/no-such-table.ts'
import { hasSwitched, readSwitches, type SwitchRow } from '../cutover/switch-row.ts'
import { DecommissionLedger } from '../decommission/decommission-ledger.ts'
import { standingOf, type Standing } from '../partitioning/standing.ts'
import type { Run } from '../run-context.ts'
import type { LifecycleEntry } from './entry.ts'
import { isSwitched, lastTurn, type LookedTable } from './looked.ts'
import type { OpenStore, OpenStores } from './open-stores.ts'
import { archiveOf } from '../archiving/archive-of.ts'
import { streamStanding, type StreamStanding } from './stream-standing.ts'

/** @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, CONNECT_FAILED, LEDGER_NEWER */
export async function lookAt(
  entry: LifecycleEntry,
  stores: OpenStores,
  run: Run<'log'>,
  leave: (what: string) => void,
): Promise<LookedTable> {
  const { abort: signal } = run.interrupt
  const source = await stores.at(entry.from)
  const target = await stores.at(entry.to ?? entry.from)
  const found = await oneTable(source.store, entry.table, signal)
  const name = tableText(found.table)
  const switches = await switchesOf(name, source, target)
  // Where the other database has the name, that one is looked at.
  const { store, database, ledgers } = isSwitched({ switches }) ? target : source
  const table = store === source.store ? found : await oneTable(store, entry.table, signal)
  const last = lastTurn({ switches })
  const owner = { ...run.owner, runId: BigInt(run.runId) }
  const streamOf = (id: string | undefined): Promise<StreamStanding | null> =>
    streamStanding(target.database, { source: name, id, owner })
  const isForward = last !== null && last.turn % 2 === 1
  // The ledger of a stream is in the database that it writes.
  const wayBackOf = ({ isBetween, reverse, publicTable }: SwitchRow): Promise<StreamStanding | null> =>
    streamStanding((isBetween ? source : target).database, {
      source: isBetween ? publicTable : name,
      id: reverse,
      owner,
    })
  const { record: archive } = await archiveOf({ store, ledgers }, table, signal)
  return {
    entry,
    name,
    store,
    database,
    table,
    ...(await partitionsOf(store, table, { entry, archive }, signal)),
    archive,
    stream: await streamOf(last === null ? undefined : isForward ? last.stream : last.reverse),
    wayBack: isForward && hasSwitched(last.status) ? await wayBackOf(last) : null,
    retired: last === null ? [] : await new DecommissionLedger(target.database, last, run).steps(),
    switches,
    now: new Date(run.clock.now()),
    run,
    leave,
  }
}

/** Turns of a table: those of a switch between two databases are in the ledger of the one that each has opened. */
async function switchesOf(name: string, source: OpenStore, target: OpenStore): Promise<readonly SwitchRow[]> {
  const forward = (await readSwitches(target.database)).filter(
    ({ isBetween, publicTable, parkedTable }) => (isBetween ? parkedTable : publicTable) === name,
  )
  if (source.store === target.store) return forward
  const back = (await readSwitches(source.database)).filter(
    ({ isBetween, publicTable }) => isBetween && publicTable === name,
  )
  return [...forward, ...back].toSorted((a, b) => a.turn - b.turn)
}

/** @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE */
export async function oneTable(store: CopyStore, name: string, signal: AbortSignal): Promise<TableSpec> {
  const [table, ...others] = await tablesOf({ store }, [name], signal)
  if (table === undefined) throw await noSuchTable(store, name, `no table fits ${name}`)
  if (others.length === 0) return table
  throw new SluiceError('AMBIGUOUS_TABLE', `${name} is more than one table`, {
    where: store.label,
    hint: 'name it with its schema',
  })
}

async function partitionsOf(
  store: CopyStore,
  table: TableSpec,
  { entry, archive }: { readonly entry: LifecycleEntry; readonly archive: ArchiveRecord | null },
  signal: AbortSignal,
): Promise<{ readonly standing: Standing | null; readonly odd: SluiceError | null }> {
  const maintenance = store.maintenance?.()
  if (maintenance === undefined) return { standing: null, odd: null }
  try {
    const { calendar, epoch } = entry
    const archived = (): Promise<ArchiveRecord | null> => Promise.resolve(archive)
    const options = { epoch, archived, sizes: true, signal }
    return { standing: await standingOf(maintenance, table, calendar, options), odd: null }
  } catch (error) {
    const known = asSluiceError(error)
    if (known.kind !== 'unsupported' && known.code !== 'BAD_FLAG') throw known
    return { standing: null, odd: known }
  }
}
