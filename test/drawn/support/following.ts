/** A drawn table that is followed while its rows change, and perhaps its columns. */
import type { Operation } from '../../../src/app/operations/list.ts'
import { copyOf, type Place, type Ran } from '../../support/copy-systems.ts'
import { withDatabase } from './copying.ts'
import { dropPlace } from './places.ts'
import {
  definitionsOf,
  differenceOf,
  insertOf,
  makeTable,
  rowsOf,
  type DrawnColumn,
  type DrawnSystem,
  type DrawnTable,
} from './shape.ts'
import { EQUAL, fault, performed, refusalOf, type Verdict } from './verdict.ts'

/** The drawn columns behind a key. */
export function followedTable(table: DrawnTable): DrawnTable {
  const id: DrawnColumn = {
    name: 'id',
    type: 'int',
    values: (table.columns[0]?.values ?? []).map((_, at) => `${at + 1}`),
  }
  return { ...table, name: 't', columns: [id, ...table.columns], key: [0] }
}

type Followed = { readonly from: DrawnSystem; readonly table: DrawnTable }

/** Copies the table and follows changes of each row; leaves nothing. @param make an empty database */
export async function judgeStream({ from, table }: Followed, make: () => Promise<Place>): Promise<Verdict> {
  const [source, target] = [await make(), await make()]
  try {
    const made = await makeTable(from, source, withDatabase(table, source))
    if (made === null || made.columns[0]?.name !== 'id') return { is: 'discarded', text: 'the server does not take it' }
    for (const one of definitionsOf(from, made)) await target.sql(one)
    const follow = { until: 'caught-up', ...(from.system === 'mysql' ? { cdc: 'trigger' as const } : {}) } as const
    const operation: Operation = { ...copyOf(source, target, '*', { workers: 1 }), follow }
    for (const [step, change] of [
      ['begin', []],
      ['change', changesOf(from, made)],
    ] as const) {
      for (const one of change) await source.sql(...from.loose, one).catch(() => undefined)
      const ran = await went(step, operation)
      if ('is' in ran) return ran
      const name = await from.tableOf(target)
      if (name === '') return fault(`${step} silent`, 'no table')
      const left = await from.judge(source, await from.tableOf(source))
      const quarantined = Number(ran.finished.totals?.['quarantined'] ?? 0)
      const difference = differenceOf(left, await from.judge(target, name), quarantined)
      if (difference !== '') return fault(`${step} silent`, difference)
    }
    return EQUAL
  } finally {
    for (const place of [source, target]) await dropPlace(place)
  }
}

/** Every row gets the values of the next one, the first is removed and put in once more, the last is removed. */
function changesOf(system: DrawnSystem, table: DrawnTable): readonly string[] {
  const { quote } = system
  const rows = rowsOf(table)
  const name = quote(table.name)
  const moved = rows.map((row, at) => {
    const next = rows[(at + 1) % rows.length] ?? row
    const sets = table.columns.flatMap((one, i) => (i === 0 ? [] : [`${quote(one.name)} = ${next[i]}`]))
    return sets.length === 0
      ? `DELETE FROM ${name} WHERE id = ${row[0]}`
      : `UPDATE ${name} SET ${sets.join(', ')} WHERE id = ${row[0]}`
  })
  const [first = []] = rows
  const last = rows.at(-1) ?? first
  return [
    ...moved,
    `DELETE FROM ${name} WHERE id = ${first[0]}`,
    insertOf(system, table, first),
    `DELETE FROM ${name} WHERE id = ${last[0]} AND id > 1`,
  ]
}

async function went(step: string, operation: Operation): Promise<Ran | Verdict> {
  const ran = await performed(operation)
  if (ran === null) return fault(`${step} endless`, 'the run does not end')
  return ran.finished.exitCode === 0 ? ran : refusalOf(ran, step)
}
