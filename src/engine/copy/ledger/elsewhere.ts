/**
 * Ledgers of copies and streams that this login does not find by its search_path: another login made them in the first schema of its own. They are asked before a second
 * ledger begins, and before a run is said to be unknown.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyStore, LedgerDatabase } from '../../../model/copy/port.ts'
import { LedgerPlaces, type Place } from '../../run/ledger-places.ts'
import type { Run } from '../../run/run-context.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import { tableKeyOf } from './owner.ts'
import { hasLedger, prepareLedger } from './schema.ts'

/** A ledger of another schema that cannot be asked. @property damage why; null where this login may not read it */
export type Unread = { readonly schema: string; readonly damage: SluiceError | null }

/** Refused for one schema alone: any role that may create one can plant such a ledger there. */
const UNUSABLE: ReadonlySet<string> = new Set(['LEDGER_DAMAGED', 'TABLE_REFUSED'])

/** What makes a ledger go that cannot be used, or whole again. */
export const DAMAGED_HINT =
  'its owner restores all tables migration_* of that schema of one backup together, or drops them where none of its copies and streams is wanted any more'

/** Whether a ledger has what is asked for. */
type Knows = (database: LedgerDatabase) => Promise<boolean>

/**
 * Creates the ledger, or brings it to this version, unless another one names a target table: a second one would know of copies into it, and of none of the first one's.
 * @throws SluiceError TABLE_REFUSED where a ledger that counts for a table names it, and this one does not; as `prepareLedger`
 */
export async function beginLedger(
  { to, tables }: Pick<PlannedCopy, 'to' | 'tables'>,
  database: LedgerDatabase,
  signal: AbortSignal,
): Promise<void> {
  const areOthers = ((await to.otherLedgers?.('copy', null, signal)) ?? []).length > 0
  await using places = new LedgerPlaces(to, database, (ledger) => ledger)
  for (const { plan, targetName: name } of areOthers ? tables : []) {
    const knows = knowsTable(name)
    if (plan?.create === true || ((await hasLedger(database)) && (await knows(database)))) continue
    const [place] = (await knowing(places, name, knows, signal)).others
    if (place === undefined) continue
    throw new SluiceError('TABLE_REFUSED', `${tableText(name)} was copied under another ledger, ${place.where}`, {
      where: to.label,
      reason: 'a second one would know nothing of its runs, streams and proofs',
      hint: `${byName(place)}${name.schema === undefined ? '' : ` and --to-schema ${shellQuote(name.schema)}`} goes on with that one, or connect as its owner`,
    })
  }
  await prepareLedger(database)
}

/**
 * @param what with its verb, such as `stream 7 is` @param url of which option or end the ledger is, for the hint
 * @throws SluiceError TABLE_REFUSED where another ledger has a run, a stream or a switch that this one has not, for who would write there
 */
export async function refuseKnownElsewhere(
  to: CopyStore,
  database: LedgerDatabase,
  what: string,
  knows: Knows,
  signal: AbortSignal,
  url = 'the target',
): Promise<void> {
  if ((await hasLedger(database)) && (await knows(database))) return
  await using places = new LedgerPlaces(to, database, (ledger) => ledger)
  const [place] = (await knowing(places, null, knows, signal)).others
  if (place === undefined) return
  throw new SluiceError('TABLE_REFUSED', `${what} in another ledger, ${place.where}`, {
    where: to.label,
    hint: `${byName(place, url)} goes on with it, or connect as its owner`,
  })
}

/**
 * A ledger to read: the own one where it knows what is asked for, else the first other that does, else the own. Other ledgers that know it, too, are said.
 * @returns what has to be disposed of when it was read
 */
export async function readLedger(
  store: CopyStore,
  knows: Knows,
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
    const { others, unread } = await knowing(places, null, knows, interrupt.abort)
    const [first = places.own, ...more] = isOwn ? [places.own, ...others] : others
    for (const place of more) {
      const message = `another ledger of copies is not shown here, ${place.where}`
      emit({ type: 'log', level: 'note', message, hint: `${byName(place)} shows it` })
    }
    for (const { schema, damage } of unread) {
      const message = `schema ${schema} has a ledger of copies that ${damage === null ? 'this login cannot read' : `cannot be used (${damage.message})`}: what it names is not shown here`
      emit({ type: 'log', level: 'note', message, ...(damage === null ? {} : { hint: DAMAGED_HINT }) })
    }
    return { database: first.database, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * @param table only ledgers that count for it; all where it is null
 * @returns those besides the own one that know what is asked for, and those that cannot be asked
 */
async function knowing(
  places: LedgerPlaces,
  table: TableName | null,
  knows: Knows,
  signal: AbortSignal,
): Promise<{ readonly others: readonly Place[]; readonly unread: readonly Unread[] }> {
  const all = (await places.own.store.otherLedgers?.('copy', table, signal)) ?? []
  const others: Place[] = []
  const unread: Unread[] = all.flatMap(({ schema, isReadable }) => (isReadable ? [] : [{ schema, damage: null }]))
  for (const place of (await places.readable(all)).slice(1)) {
    try {
      if ((await hasLedger(place.database)) && (await knows(place.database))) others.push(place)
    } catch (error) {
      if (!(error instanceof SluiceError) || !UNUSABLE.has(error.code)) throw error
      unread.push({ schema: place.schema, damage: error })
    }
  }
  return { others, unread }
}

/** Ledgers besides `own` that count for a table, to be read and closed. */
export async function knowingLedgers(
  store: CopyStore,
  own: LedgerDatabase,
  table: TableName,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly places: readonly Place[] }> {
  const places = new LedgerPlaces(store, own, (ledger) => ledger)
  const close = (): Promise<void> => places[Symbol.asyncDispose]()
  try {
    const { others } = await knowing(places, table, async () => true, signal)
    return { places: others, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

function byName({ schema }: Pick<Place, 'schema'>, url = 'the target'): string {
  return `the same command with ?schema=${encodeURIComponent(schema)} behind the URL of ${url}`
}

/**
 * All ledgers of copies and streams in a database, for who asks whether any of them wants it: a planted one, which only asks for more, counts, too.
 * @returns the own one first, where it is one, and those that cannot be asked
 */
export async function allLedgers(
  store: CopyStore,
  own: LedgerDatabase,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly places: readonly Place[]; readonly unread: readonly Unread[] }> {
  const places = new LedgerPlaces(store, own, (ledger) => ledger)
  const close = (): Promise<void> => places[Symbol.asyncDispose]()
  try {
    const { others, unread } = await knowing(places, null, async () => true, signal)
    const all = (await hasLedger(own)) ? [places.own, ...others] : others
    return { places: all, unread, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What `--to URL` has to have behind it for the ledger of a place; nothing for the own one. */
export function schemaText({ schema }: Pick<Place, 'schema'>): string {
  return schema === '' ? '' : `?schema=${encodeURIComponent(schema)}`
}

function knowsTable(name: TableName): Knows {
  const { schema, name: table } = tableKeyOf(name)
  const sql = 'SELECT 1 FROM migration_plans WHERE schema_name = ? AND table_name = ? LIMIT 1'
  return async (database) => (await database.all(sql, [schema, table])).length > 0
}

/** Of a run of `runs`, `report` and `quarantine list`; any where it is null. */
export function knowsRun(runId: bigint | null): Knows {
  if (runId === null) return async () => true
  return async (database) => (await database.all('SELECT 1 FROM migration_runs WHERE run_id = ?', [runId])).length > 0
}
