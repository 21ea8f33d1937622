/** A random table that is replicated by a stream while its rows change, with ALTERs between them. */
import type { CopyOperation } from '../../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf } from '../../support/copy-systems.ts'
import { goesOn, stepsOf, type Steps } from './altering.ts'
import { withDatabase } from './copying.ts'
import type { Drawn } from './drawing.ts'
import { dropPlace, takeBack, type Servers } from './places.ts'
import { definitionsOf, differenceOf, insertOf, linesOf, makeTable, rowsOf, type DrawnColumn, type DrawnSystem, type DrawnTable, type Place } from './shape.ts' // prettier-ignore
import { EQUAL, fault, performed, refusalOf, type Verdict } from './verdict.ts'

/** The random columns after a key. */
export function followedTable(table: DrawnTable): DrawnTable {
  const id: DrawnColumn = {
    name: 'id',
    type: 'int',
    values: (table.columns[0]?.values ?? []).map((_, at) => `${at + 1}`),
  }
  return { ...table, columns: [id, ...table.columns], key: [0] }
}

export type Followed = Drawn & {
  readonly cdc: 'slot' | 'trigger'
  /** ALTERs are executed while a run reads, so what it has read before each one is random. */
  readonly isLive: boolean
}

type Stream = {
  readonly system: DrawnSystem
  readonly source: Place
  readonly target: Place
  readonly operation: CopyOperation
}

/**
 * Copies the table and replicates changes of each row, with ALTERs between them; removes what it creates.
 * @param folder for systems whose databases are files
 */
export async function judgeStream(followed: Followed, servers: Servers, folder: string): Promise<Verdict> {
  const { from: system, table, cdc, isLive } = followed
  const [source, target] = [await servers.make(system.system, folder), await servers.make(system.system, folder)]
  try {
    const made = await makeTable(system, source, withDatabase(table, source))
    if (made?.columns[0]?.name !== 'id') return { is: 'discarded', text: 'the server does not take it' }
    for (const one of definitionsOf(system, made)) await target.sql(one)
    const operation = { ...copyOf(source, target, '*', { workers: 1 }), follow: { until: 'caught-up', cdc } } as const
    const stream: Stream = { system, source, target, operation }
    const begun = await comparedAfter(stream, made.name, 'begin')
    if (begun.is !== 'equal') return begun
    const held = await changed(stream, made)
    return (made.alters ?? []).length === 0
      ? await comparedAfter(stream, made.name, 'change')
      : await altered(stream, made, held, isLive)
  } finally {
    await takeBack(source, table.settings)
    for (const place of [source, target]) await dropPlace(place)
  }
}

/** @returns every row that the source held at some time, as its server prints it */
async function changed({ system, source }: Stream, table: DrawnTable): Promise<ReadonlySet<string>> {
  const held = new Set<string>()
  for (const one of [null, ...changesOf(system, table)]) {
    if (one !== null) await source.sql(...system.loose, one).catch(() => undefined)
    for (const line of linesOf(await system.judge(source, system.quote(table.name)))) held.add(line)
  }
  return held
}

/**
 * ALTERs with changes after each. Either the tables are equal, or the stream halts by name, has applied no row that the
 * source never held, and can be restarted.
 */
async function altered(stream: Stream, made: DrawnTable, held: ReadonlySet<string>, isLive: boolean): Promise<Verdict> {
  const running = isLive ? performed(stream.operation) : null
  const now = await alterAll(stream, made)
  await running
  const came = await comparedAfter(stream, now.name, 'alter')
  if (came.is !== 'named') return came
  const { system, target } = stream
  const name = await system.tableOf(target)
  const rows = name === '' ? [] : linesOf(await system.judge(target, name))
  const stranger = rows.find((line) => !held.has(line))
  // If a run is active, it may apply rows between two ALTERs.
  if (stranger !== undefined && !isLive) return fault('alter leaked', `${came.text}; the target holds ${stranger}`)
  if (came.code !== 'STREAM_HALTED') return came
  if (goesOn(made)) return fault('alter needless', came.text)
  await target.sql(`DROP TABLE ${name}`)
  const anew = anewOf(stream, made, now)
  // A stream that begins anew would also copy the table that a swap has left.
  if (anew.operation.restart) await stream.source.sql(`DROP TABLE IF EXISTS ${system.quote('other')}`)
  return await comparedAfter(anew, now.name, 'anew')
}

/** @returns the table after the ALTERs that the server accepted */
async function alterAll({ system, source }: Stream, made: DrawnTable): Promise<DrawnTable> {
  let now = made
  let last: Steps['back'] = null
  for (const alter of made.alters ?? []) {
    const steps = stepsOf(system, now, alter, last)
    const isTaken =
      steps !== null &&
      (await source.sql(...system.loose, ...steps.there.statements).then(
        () => true,
        () => false,
      ))
    if (steps === null || !isTaken) continue
    now = steps.there.table
    last = steps.back
    for (const one of changesOf(system, now)) await source.sql(...system.loose, one).catch(() => undefined)
  }
  return now
}

/** Copies the table again within the stream (`resync`), or restarts the whole stream. */
function anewOf(stream: Stream, { name }: DrawnTable, now: DrawnTable): Stream {
  const { operation, system } = stream
  const isPlain = now.name === name && /^\w+$/.test(name)
  const resync = [system.system === 'postgresql' ? `public.${name}` : name]
  const again = isPlain ? { follow: { ...operation.follow, resync } } : { restart: true }
  return { ...stream, operation: { ...operation, ...again } }
}

/**
 * Runs the stream until all changes are applied, and compares what the servers print.
 * @param table its name at the source
 */
async function comparedAfter(
  { system, source, target, operation }: Stream,
  table: string,
  step: string,
): Promise<Verdict> {
  // prettier-ignore
  const ran = await performed(operation)
  if (ran === null) return fault(`${step} endless`, 'the run does not end')
  if (ran.finished.exitCode !== 0) return refusalOf(ran, step)
  const name = await system.tableOf(target)
  if (name === '') return fault(`${step} silent`, 'no table')
  const left = await system.judge(source, system.quote(table))
  const quarantined = Number(ran.finished.totals?.['quarantined'] ?? 0)
  const difference = differenceOf(left, await system.judge(target, name), quarantined)
  return difference === '' ? EQUAL : fault(`${step} silent`, difference)
}

/** Each row gets the values of the next one; the first row is deleted and inserted again; the last one is deleted. */
export function changesOf(system: DrawnSystem, table: DrawnTable): readonly string[] {
  const { quote } = system
  const rows = rowsOf(table)
  const name = quote(table.name)
  const id = quote(table.columns[0]?.name ?? '')
  const moved = rows.map((row, at) => {
    const next = rows[(at + 1) % rows.length] ?? row
    const sets = table.columns.flatMap((one, i) => (i === 0 ? [] : [`${quote(one.name)} = ${next[i]}`]))
    return sets.length === 0
      ? `DELETE FROM ${name} WHERE ${id} = ${row[0]}`
      : `UPDATE ${name} SET ${sets.join(', ')} WHERE ${id} = ${row[0]}`
  })
  const [first = []] = rows
  const last = rows.at(-1) ?? first
  return [
    ...moved,
    `DELETE FROM ${name} WHERE ${id} = ${first[0]}`,
    insertOf(system, table, first),
    `DELETE FROM ${name} WHERE ${id} = ${last[0]} AND ${id} > 1`,
  ]
}
