/** A random table that is copied to another place, and back if that is another system. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../../../src/app/operations/list.ts'
import { copyOf, type Ran } from '../../support/copy-systems.ts'
import { dropPlace, takeBack, type Servers } from './places.ts'
import {
  definitionsOf,
  differenceOf,
  makeTable,
  statementsOf,
  type DrawnSystem,
  type DrawnTable,
  type Judged,
  type Place,
  type System,
} from './shape.ts'
import { EQUAL, fault, performed, refusalOf, type Verdict } from './verdict.ts'

export type Copying = { readonly from: DrawnSystem; readonly to: DrawnSystem; readonly table: DrawnTable }

/**
 * Creates the table, copies it and compares both sides; removes what it creates.
 * @param folder for systems whose databases are files
 */
export async function judgeCopy({ from, to, table }: Copying, servers: Servers, folder: string): Promise<Verdict> {
  const own = mkdtempSync(join(folder, 'draw-'))
  const places: Place[] = []
  const make = async (system: System): Promise<Place> => {
    const place = await servers.make(system, own)
    places.push(place)
    return place
  }
  try {
    const source = await make(from.system)
    const made = await makeTable(from, source, withDatabase(table, source))
    if (made === null) return { is: 'discarded', text: 'the server does not take it' }
    const target = await make(to.system)
    for (const one of withDatabase(table, target).targetSettings ?? []) await target.sql(one).catch(() => undefined)
    if (from.system === to.system) for (const one of definitionsOf(from, made)) await target.sql(one)
    const forth = await copied({ source, target, hasKey: made.key.length > 0, step: 'copy' })
    if (!isCopied(forth)) return forth
    const left = await from.judge(source, await from.tableOf(source))
    const names = await to.judge(target, await to.tableOf(target))
    if (orderOf(to, names) !== orderOf(to, left))
      return fault('copy renamed', `columns ${left.columns.join(', ')} became ${names.columns.join(', ')}`)
    if (from.system === to.system) return needless(to.system, await compared(to, left, target, 'copy', forth))
    const back = await make(from.system)
    await back.sql(...from.loose, ...statementsOf(from, made))
    const returned = await copied({ source: target, target: back, hasKey: made.key.length > 0, step: 'back' })
    if (!isCopied(returned)) return returned
    const bare = from.timeless ?? ((judged: Judged) => judged)
    return await compared(
      { ...from, judge: async (...of) => bare(await from.judge(...of)) },
      bare(left),
      back,
      'back',
      [...forth, ...returned],
    )
  } finally {
    for (const place of places) {
      await takeBack(
        place,
        [...table.settings, ...(table.targetSettings ?? [])].filter(() => place.system === 'mysql'),
      )
      await dropPlace(place)
    }
    rmSync(own, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Cassandra lists the key columns before the others. */
function orderOf({ system }: DrawnSystem, { columns }: Judged): string {
  return (system === 'cassandra' ? columns.toSorted() : columns).join('\n')
}

/** Settings contain the name of the database, which differs each time. */
export function withDatabase(table: DrawnTable, place: Place): DrawnTable {
  const name = new URL(place.url).pathname.slice(1)
  const of = (settings: readonly string[]): readonly string[] => settings.map((one) => one.replaceAll('DRAWN_DATABASE', name)) // prettier-ignore
  return { ...table, settings: of(table.settings), targetSettings: of(table.targetSettings ?? []) }
}

/** Compares both sides; the verdict includes quarantined rows. */
export async function compared(
  system: DrawnSystem,
  left: Judged,
  place: Place,
  step: string,
  quarantined: Quarantined,
): Promise<Verdict> {
  const name = await system.tableOf(place)
  const difference = name === '' ? 'no table' : differenceOf(left, await system.judge(place, name), quarantined.length)
  if (difference !== '') return fault(`${step} silent`, difference)
  if (quarantined.length === 0) return EQUAL
  return { is: 'named', code: 'ROWS_ASIDE', text: `${quarantined.length} rows: ${quarantined[0]}` }
}

/**
 * A server of the same system can store every value, so a refusal is a fault. Exception: a SQLite column may hold a
 * value of another type.
 */
function needless(system: System, verdict: Verdict): Verdict {
  const isOwn =
    system === 'cassandra' ||
    system === 'sqlite' ||
    system === 'd1' ||
    (system === 'duckdb' && verdict.is === 'named' && /DuckDB cannot convert this value/.test(verdict.text)) ||
    (system === 'mysql' && verdict.is === 'named' && /not valid in the character set/.test(verdict.text))
  if (verdict.is !== 'named' || isOwn) return verdict
  return fault(`needless ${verdict.code}`, verdict.text)
}

type Step = {
  readonly source: Place
  readonly target: Place
  readonly step: string
  /** A copied table without a key is not compared again. */
  readonly hasKey: boolean
}
/** The cause of each quarantined row. */
type Quarantined = readonly string[]

/** Copies twice: the second run has nothing to do, or fails with the same refusal as the first. */
export async function copied({ source, target, step, hasKey }: Step): Promise<Quarantined | Verdict> {
  const operation = copyOf(source, target, '*', { workers: 1 })
  const ran = await performed(operation)
  if (ran === null) return fault(`${step} endless`, 'the run does not end')
  const literals = notesOf(ran).find((note) => note.includes('values become literals'))
  if (literals !== undefined && ran.finished.exitCode !== 70) return { is: 'named', code: 'LITERALS', text: literals }
  const quarantined = Number(ran.finished.totals?.['quarantined'] ?? 0)
  if (ran.finished.exitCode === 1 && quarantined > 0) {
    const causes = causesOf(ran, quarantined)
    return (hasKey ? await forgotten(operation, causes, step) : null) ?? causes
  }
  if (ran.finished.exitCode !== 0) return await refusedTwice(operation, refusalOf(ran, step), step)
  const again = await performed({ ...operation, ...(hasKey ? { again: true } : {}) })
  if (again === null) return fault(`${step} again endless`, '--again does not end')
  if (again.finished.exitCode !== 0) {
    const refused = refusalOf(again, `${step} again`)
    return refused.is === 'named' && refused.code === 'UNSUPPORTED_KEY' ? [] : asFault(refused)
  }
  const writes = writesOf(again)
  return writes === '' ? [] : fault(`${step} again writes`, `once more it wrote ${writes}`)
}

function notesOf({ events }: Ran): readonly string[] {
  return events.flatMap((event) =>
    event.type === 'plan.ready' ? (event.copies ?? []).flatMap(({ notes = [] }) => notes) : [],
  )
}

export function isCopied(came: Quarantined | Verdict): came is Quarantined {
  return Array.isArray(came)
}

function causesOf({ events }: Ran, count: number): Quarantined {
  const causes = events.flatMap((event) => (event.type === 'row.aside' ? [JSON.stringify(event.error)] : []))
  return Array.from({ length: count }, (_, at) => causes[at] ?? '')
}

/** A run with --again must not end well over rows that are not in the target. @returns null if it does not */
async function forgotten(
  operation: ReturnType<typeof copyOf>,
  { length, [0]: cause }: Quarantined,
  step: string,
): Promise<Verdict | null> {
  const again = await performed({ ...operation, again: true })
  if (again === null) return fault(`${step} again endless`, `--again does not end, behind ${cause}`)
  const { exitCode } = again.finished
  const refusal = refusalOf(again, step)
  if (exitCode === 1 || (exitCode !== 0 && refusal.is === 'named')) return null
  const how = exitCode === 0 ? 'exit 0' : textOf(refusal)
  return fault(`${step} again forgets`, `${length} rows were quarantined (${cause}), and --again has ${how}`)
}

/** The same command must fail with the same refusal. */
async function refusedTwice(operation: Operation, first: Verdict, step: string): Promise<Verdict> {
  if (first.is !== 'named') return first
  const second = await performed(operation)
  if (second === null) return fault(`${step} endless`, `the second run does not end, behind ${first.text}`)
  const later = refusalOf(second, step)
  if (later.is === 'named' && later.code === first.code) return first
  return fault(`${step} half done`, `${first.text}; the same command then: ${textOf(later)}`)
}

function textOf(verdict: Verdict): string {
  return 'text' in verdict ? verdict.text : ''
}

/** What a run over an equal table wrote; empty if nothing. */
function writesOf({ events }: Ran): string {
  const tables = events.flatMap((event) => (event.type === 'table.finished' ? [event.copied?.again] : []))
  const again = tables.find((one) => one !== undefined)
  if (again !== undefined) return again.differed === '0' ? '' : JSON.stringify(again)
  return events.some(({ type }) => type === 'chunk.started') ? 'a chunk' : ''
}

/** A table that was copied and proved must not be refused. */
function asFault(verdict: Verdict): Verdict {
  return verdict.is === 'named' ? fault(`again ${verdict.code}`, verdict.text) : verdict
}
