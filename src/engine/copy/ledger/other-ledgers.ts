/**
 * Ledgers of copies and streams that this login does not find by its search_path: another login created them in the
 * first schema of its own search_path. They are checked before a second ledger is created, and before a run is reported
 * as unknown.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { LedgerPlaces, type LocatedLedger } from '../../run/ledger-places.ts'
import type { Run } from '../../run/run-context.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import { tableKeyOf } from './owner.ts'
import { hasLedger, prepareLedger } from './schema.ts'

/** A ledger in another schema that cannot be queried. @property damage the cause; null if this login may not read it */
export type UnreadLedger = { readonly schema: string; readonly damage: SluiceError | null }

/** Errors that affect one schema only: any role that may create a schema can plant such a ledger there. */
const LEDGER_ERRORS: ReadonlySet<string> = new Set(['LEDGER_DAMAGED', 'TABLE_REFUSED'])

/** How to remove or restore a ledger that cannot be used. */
export const DAMAGED_HINT =
  'its owner can restore all tables migration_* of that schema from one backup, or drop them if its copies and streams are no longer needed'

/** True if the ledger has the requested item. */
type HasItem = (database: LedgerDatabase) => Promise<boolean>

/**
 * Creates or upgrades the ledger, unless another ledger names a target table: a second ledger would not have the copies
 * of the first.
 * @throws SluiceError TABLE_REFUSED if another ledger that is valid for a table (see `OtherLedgers.list`) names the
 * table and this ledger does not; errors of `prepareLedger`
 */
export async function beginLedger(
  { to, tables }: Pick<PlannedCopy, 'to' | 'tables'>,
  database: LedgerDatabase,
  signal: AbortSignal,
): Promise<void> {
  const areOthers = ((await to.offers.otherLedgers?.list('copy', null, signal)) ?? []).length > 0
  await using places = new LedgerPlaces(to, database, (ledger) => ledger)
  for (const { plan, targetName: name } of areOthers ? tables : []) {
    const knows = knowsTable(name)
    if (plan?.create === true || ((await hasLedger(database)) && (await knows(database)))) continue
    const [place] = (await ledgersWithItem(places, name, knows, signal)).others
    if (place === undefined) continue
    throw new SluiceError(
      'TABLE_REFUSED',
      `the copy of ${tableText(name)} is recorded in another ledger, ${place.where}`,
      {
        where: to.label,
        reason: 'a second ledger would lack the runs, streams and proofs of the first one',
        hint: `${byName(place)}${name.schema === undefined ? '' : ` and --to-schema ${shellQuote(name.schema)}`} to continue with that ledger, or connect as its owner`,
      },
    )
  }
  await prepareLedger(database)
}

/**
 * Call before writing to this ledger.
 * @param what subject and verb, such as `stream 7 is`
 * @param url for the hint: the option or side to which the ledger belongs
 * @throws SluiceError TABLE_REFUSED if another ledger has the run, stream or cutover and this ledger does not
 */
export async function refuseOtherLedger(
  to: CopyStore,
  database: LedgerDatabase,
  what: string,
  knows: HasItem,
  signal: AbortSignal,
  url = 'the target',
): Promise<void> {
  if ((await hasLedger(database)) && (await knows(database))) return
  await using places = new LedgerPlaces(to, database, (ledger) => ledger)
  const [place] = (await ledgersWithItem(places, null, knows, signal)).others
  if (place === undefined) return
  throw new SluiceError('TABLE_REFUSED', `${what} in another ledger, ${place.where}`, {
    where: to.label,
    hint: `${byName(place, url)} to continue with it, or connect as its owner`,
  })
}

/**
 * The ledger to read. It is the login's own ledger if this has the item, or if no ledger has the item; otherwise the
 * first other ledger that has it. Further ledgers that have the item are reported in a note.
 * @returns the ledger; dispose it after reading
 */
export async function readLedger(
  store: CopyStore,
  knows: HasItem,
  { emit, interrupt }: Run<'log'>,
): Promise<AsyncDisposable & { readonly database: LedgerDatabase }> {
  const own = await store.ledger()
  const places = new LedgerPlaces(store, own, (ledger) => ledger)
  const close = async (): Promise<void> => {
    await places[Symbol.asyncDispose]()
    await own[Symbol.asyncDispose]()
  }
  try {
    const isOwn = (await hasLedger(own)) && (await knows(own))
    const { others, unread } = await ledgersWithItem(places, null, knows, interrupt.abort)
    const [first = places.own, ...more] = isOwn ? [places.own, ...others] : others
    for (const place of more) {
      const message = `another ledger of copies (${place.where}) is not shown here`
      emit({ type: 'log', level: 'note', message, hint: `${byName(place)} to see it` })
    }
    for (const { schema, damage } of unread) {
      const message = `schema ${schema} has a ledger of copies that ${damage === null ? 'this login cannot read' : `cannot be used (${damage.message})`}: its contents are not shown here`
      emit({ type: 'log', level: 'note', message, ...(damage === null ? {} : { hint: DAMAGED_HINT }) })
    }
    return { database: first.database, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * @param table only ledgers that are valid for this table (see `OtherLedgers.list`); null for all
 * @returns other ledgers that have the item, and those that cannot be queried
 */
async function ledgersWithItem(
  places: LedgerPlaces,
  table: TableName | null,
  knows: HasItem,
  signal: AbortSignal,
): Promise<{ readonly others: readonly LocatedLedger[]; readonly unread: readonly UnreadLedger[] }> {
  const all = (await places.own.store.offers.otherLedgers?.list('copy', table, signal)) ?? []
  const others: LocatedLedger[] = []
  const unread: UnreadLedger[] = all.flatMap(({ schema, isReadable }) => (isReadable ? [] : [{ schema, damage: null }]))
  for (const place of (await places.readable(all)).slice(1)) {
    try {
      if ((await hasLedger(place.database)) && (await knows(place.database))) others.push(place)
    } catch (error) {
      if (!(error instanceof SluiceError) || !LEDGER_ERRORS.has(error.code)) throw error
      unread.push({ schema: place.schema, damage: error })
    }
  }
  return { others, unread }
}

/** Ledgers other than `own` that are valid for a table (see `OtherLedgers.list`), for reading. Dispose the result. */
export async function ledgersForTable(
  store: CopyStore,
  own: LedgerDatabase,
  table: TableName,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly places: readonly LocatedLedger[] }> {
  const places = new LedgerPlaces(store, own, (ledger) => ledger)
  const close = (): Promise<void> => places[Symbol.asyncDispose]()
  try {
    const { others } = await ledgersWithItem(places, table, async () => true, signal)
    return { places: others, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

function byName({ schema }: Pick<LocatedLedger, 'schema'>, url = 'the target'): string {
  return `run the same command with ?schema=${encodeURIComponent(schema)} at the end of the URL of ${url}`
}

/**
 * All ledgers of copies and streams in a database, to check whether one of them still needs an object. Ledgers planted
 * by other roles are included: their only effect is that more objects are kept.
 * @returns the ledgers, first the login's own if it exists, and those that cannot be queried
 */
export async function allLedgers(
  store: CopyStore,
  own: LedgerDatabase,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly places: readonly LocatedLedger[]; readonly unread: readonly UnreadLedger[] }> {
  const places = new LedgerPlaces(store, own, (ledger) => ledger)
  const close = (): Promise<void> => places[Symbol.asyncDispose]()
  try {
    const { others, unread } = await ledgersWithItem(places, null, async () => true, signal)
    const all = (await hasLedger(own)) ? [places.own, ...others] : others
    return { places: all, unread, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Suffix for `--to URL` that selects the ledger in a schema; empty for the login's own ledger. */
export function schemaText({ schema }: Pick<LocatedLedger, 'schema'>): string {
  return schema === '' ? '' : `?schema=${encodeURIComponent(schema)}`
}

function knowsTable(name: TableName): HasItem {
  const { schema, name: table } = tableKeyOf(name)
  const sql = 'SELECT 1 FROM migration_plans WHERE schema_name = ? AND table_name = ? LIMIT 1'
  return async (database) => (await database.all(sql, [schema, table])).length > 0
}

/** Finds a ledger that has a run, for `runs`, `report` and `quarantine list`. @param runId null: any ledger matches */
export function knowsRun(runId: bigint | null): HasItem {
  if (runId === null) return async () => true
  return async (database) => (await database.all('SELECT 1 FROM migration_runs WHERE run_id = ?', [runId])).length > 0
}
