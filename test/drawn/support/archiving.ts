/** A random table whose rows of one period are archived, queried and restored. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../../../src/app/operations/list.ts'
import type { Ran } from '../../support/copy-systems.ts'
import { leaveCommands } from '../../support/leave-and-return.ts'
import { withDatabase } from './copying.ts'
import { dropPlace, takeBack, type Servers } from './places.ts'
import {
  differenceOf,
  makeTable,
  type DrawnColumn,
  type DrawnSystem,
  type DrawnTable,
  type Judged,
  type Place,
} from './shape.ts'
import { EQUAL, fault, performed, refusalOf, type Verdict } from './verdict.ts'

/** A day of the archived period, and one of a period that stays. */
const LEAVES = `'2023-02-01'`
const STAYS = `'2026-11-01'`
/** Condition for the archived rows that reads all rows. */
const LEFT = `WHERE d <> ${STAYS}`

/** The random columns after a key and a day; all rows but the last one are in the archived period. */
export function leavingTable(table: DrawnTable): DrawnTable {
  const rows = table.columns[0]?.values.length ?? 0
  const all = Array.from({ length: rows }, (_, at) => at)
  const fixed: readonly DrawnColumn[] = [
    { name: 'id', type: 'int', values: all.map((at) => String(at + 1)) },
    { name: 'd', type: 'date NOT NULL', values: all.map((at) => (at === rows - 1 && at > 0 ? STAYS : LEAVES)) }, // prettier-ignore
  ]
  return { ...table, name: 's', columns: [...fixed, ...table.columns], key: [0] }
}

type Archived = { readonly from: DrawnSystem; readonly table: DrawnTable }

/** Removes what it creates. @param folder for archives and systems whose databases are files */
export async function judgeArchive({ from, table }: Archived, servers: Servers, folder: string): Promise<Verdict> {
  const own = mkdtempSync(join(folder, 'draw-'))
  const place = await servers.make(from.system, own)
  try {
    const made = await makeTable(from, place, withDatabase(table, place))
    if (made?.name !== 's' || made.columns[1]?.name !== 'd')
      return { is: 'discarded', text: 'the server does not take it' }
    if (!made.columns[1].values.includes(LEAVES)) return { is: 'discarded', text: 'no row leaves' }
    const asText: string[] = []
    for (;;) {
      const verdict = await leftAndReturned(from, place, { folder: own, asText })
      const name = verdict.is === 'named' ? hintedColumn(verdict.text, made) : undefined
      if (name === undefined || asText.includes(name)) return verdict
      asText.push(name)
    }
  } finally {
    await takeBack(place, table.settings)
    await dropPlace(place)
    rmSync(own, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** The column that a refusal suggests for `--as-text`. */
function hintedColumn(text: string, { columns }: DrawnTable): string | undefined {
  return columns.find(({ name }) => text.includes(`--as-text ${name}`))?.name
}

type Leaving = { readonly folder: string; readonly asText: readonly string[] }

async function leftAndReturned(system: DrawnSystem, place: Place, { folder, asText }: Leaving): Promise<Verdict> {
  const name = await system.tableOf(place)
  const before = await system.judge(place, name)
  const counts = await countsOf(system, place, name, before)
  const left = await countsOf(system, place, `${name} ${LEFT}`, before)
  const { run, drop, restore, verify } = leaveCommands(place, folder, { asText, to: join(folder, 'archive') })
  const dry = await went('plan', { ...run, dryRun: true, exact: true })
  if ('is' in dry) return dry
  for (const [step, operation] of Object.entries({ run, drop, verify })) {
    const ran = await went(step, operation)
    // `verify` must succeed for an export; `drop` may refuse rows that cannot be removed.
    if ('is' in ran) return ran.is === 'named' && step === 'verify' ? fault(`${step} ${ran.code}`, ran.text) : ran
  }
  const answered = await answeredAs(counts, place, before)
  // A value of another type than its column fails only queries that read it.
  const asked = answered.is === 'named' && answered.code === 'VALUE_REFUSED' ? await answeredAs(left, place, before, LEFT) : answered // prettier-ignore
  if (asked.is !== 'equal') return asked.is === 'named' ? fault(`query ${asked.code}`, asked.text) : asked
  const back = await went('restore', restore)
  if ('is' in back) return back.is === 'named' ? fault(`restore ${back.code}`, back.text) : back
  const difference = differenceOf(before, await system.judge(place, name), 0)
  return difference === '' ? EQUAL : fault('restore silent', difference)
}

async function went(step: string, operation: Operation): Promise<Ran | Verdict> {
  const ran = await performed(operation)
  if (ran === null) return fault(`${step} endless`, 'the run does not end')
  return ran.finished.exitCode === 0 ? ran : refusalOf(ran, step)
}

/** Number of rows, and of values of each column that are not NULL. */
async function countsOf({ quote }: DrawnSystem, { rows }: Place, name: string, { columns }: Judged): Promise<string> {
  const counted = await rows(`SELECT count(*), ${columns.map((one) => `count(${quote(one)})`).join(', ')} FROM ${name}`)
  return JSON.stringify(counted.map((row) => row.map(Number)))
}

async function answeredAs(counts: string, place: Place, judged: Judged, where = ''): Promise<Verdict> {
  const asked = await went('query', queryOf(place, judged, where))
  if ('is' in asked) return asked
  const rows = asked.events.flatMap((event) => (event.type === 'row' ? [event.values.map(Number)] : []))
  const found = JSON.stringify(rows)
  return found === counts ? EQUAL : fault('query silent', `${counts} became ${found}`)
}

function queryOf({ url }: Place, { columns }: Judged, where: string): Operation {
  const all = columns.map((one) => `count(s."${one.replaceAll('"', '""')}")`)
  return { kind: 'query', from: url, table: 's', query: `SELECT count(*), ${all.join(', ')} FROM s ${where}`, limit: 9, format: 'json' } // prettier-ignore
}
