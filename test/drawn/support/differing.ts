/**
 * A random table that is copied, changed at the source, compared and repaired: diff reports what the server shows as
 * changed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DiffOperation } from '../../../src/engine/copy/operations/diff/declaration.ts'
import { copyOf, type Ran } from '../../support/copy-systems.ts'
import { compared, copied, isCopied, withDatabase, type Copying } from './copying.ts'
import { dropPlace, takeBack, type Servers } from './places.ts'
import { definitionsOf, emptied, insertOf, makeTable, rowsOf, statementsOf, type DrawnSystem, type DrawnTable, type Judged, type Place } from './shape.ts' // prettier-ignore
import { EQUAL, fault, performed, refusalOf, type Verdict } from './verdict.ts'

/** Removes what it creates. @param folder for systems whose databases are files */
export async function judgeDiff({ from, to, table }: Copying, servers: Servers, folder: string): Promise<Verdict> {
  const own = mkdtempSync(join(folder, 'draw-'))
  const source = await servers.make(from.system, own)
  const target = await servers.make(to.system, own)
  const back = await servers.make(from.system, own)
  try {
    const made = await makeTable(from, source, withDatabase({ ...table, targetSettings: [] }, source))
    if (made === null || made.key.length === 0) return { is: 'discarded', text: 'the server does not take it, or not its key' } // prettier-ignore
    const rows = rowsOf(made)
    await rewrite(from, source, made, rows.length > 1 ? rows.slice(1) : rows)
    if (from.system === to.system) for (const one of definitionsOf(from, made)) await target.sql(one)
    const came = await copied({ source, target, hasKey: true, step: 'copy' })
    if (!isCopied(came)) return came
    if (came.length > 0) return { is: 'named', code: 'ROWS_ASIDE', text: came[0] ?? '' }
    const difference = differences(source, target)
    const none = await went('diff of equals', difference)
    if (none.counts !== '0 missing, 0 different, 0 extra') return none.refused ?? fault('diff of equals', none.counts)
    const name = await from.tableOf(source)
    const before = await from.judge(source, name)
    await rewrite(from, source, made, changedRows(made, rows))
    const after = await from.judge(source, name)
    const expected = changesBetween(before, after, made)
    const found = await went('diff', difference)
    if (found.counts !== expected) return found.refused ?? fault('diff miscounts', `${expected}, and it says ${found.counts}`) // prettier-ignore
    const repaired = await went('mend', { ...difference, fix: true, deleteExtra: true })
    if (repaired.refused !== null && repaired.refused.is !== 'equal') return repaired.refused
    const again = await went('mended', difference)
    if (again.counts !== '0 missing, 0 different, 0 extra') return again.refused ?? fault('mend is none', again.counts)
    if (from.system === to.system) return await compared(from, after, target, 'mend', [])
    await back.sql(...from.loose, ...statementsOf(from, made))
    const returned = await copied({ source: target, target: back, hasKey: true, step: 'back' })
    return isCopied(returned) ? await compared(from, after, back, 'back', returned) : returned
  } finally {
    await takeBack(source, from.system === 'mysql' ? table.settings : [])
    for (const place of [source, target, back]) await dropPlace(place)
    rmSync(own, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Replaces the rows of the table by these, except those that the server refuses. */
async function rewrite(
  system: DrawnSystem,
  { sql }: Place,
  table: DrawnTable,
  rows: readonly (readonly string[])[],
): Promise<void> {
  await sql(...system.loose, emptied(system, table))
  for (const row of rows) await sql(...system.loose, insertOf(system, table, row)).catch(() => undefined)
}

/** Removes the last row; gives every second one of the others the non-key values of the next row. */
function changedRows({ key }: DrawnTable, rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const moved = rows.map((row, at) => {
    const next = rows[(at + 1) % rows.length] ?? row
    return row.map((value, column) => (key.includes(column) || at % 2 === 1 ? value : (next[column] ?? value)))
  })
  return moved.slice(0, Math.max(1, rows.length - 1))
}

/** Rows are identified by the server's text for the key columns. */
function changesBetween(before: Judged, after: Judged, { key }: DrawnTable): string {
  const byKey = ({ rows }: Judged): ReadonlyMap<string, string> =>
    new Map(rows.map((row) => [JSON.stringify(key.map((at) => row[at])), JSON.stringify(row)]))
  const [old, now] = [byKey(before), byKey(after)]
  const missing = [...now.keys()].filter((one) => !old.has(one)).length
  const extra = [...old.keys()].filter((one) => !now.has(one)).length
  const different = [...now].filter(([one, row]) => old.has(one) && old.get(one) !== row).length
  return `${missing} missing, ${different} different, ${extra} extra`
}

function differences(source: Place, target: Place): DiffOperation {
  return { ...copyOf(source, target, '*', { workers: 1 }), kind: 'diff', limit: 100, fix: false, deleteExtra: false } // prettier-ignore
}

/** Steps that may report rows which they cannot compare or repair. Before and after them all rows are equal. */
const OF_CHANGES: ReadonlySet<string> = new Set(['diff', 'mend'])

type Went = { readonly counts: string; readonly refused: Verdict | null }

async function went(step: string, operation: DiffOperation): Promise<Went> {
  const ran = await performed(operation)
  if (ran === null) return { counts: '', refused: fault(`${step} endless`, 'the run does not end') }
  const isFine =
    ran.finished.exitCode === 0 || (ran.finished.exitCode === 1 && ran.finished.error?.code === 'DIFFERENCES')
  if (!isFine) return { counts: '', refused: refusalOf(ran, step) }
  const isOfChanges = OF_CHANGES.has(step)
  // Floating point numbers and NULL identify no row.
  const keyless = ran.finished.error?.message ?? ''
  if (isOfChanges && /rows without a usable key differ/.test(keyless)) return { counts: '', refused: { is: 'named', code: 'DIFFERENCES', text: keyless } } // prettier-ignore
  const lossy = ran.events.flatMap((event) => (event.type === 'table.finished' ? (event.notes ?? []) : [])).find((one) => one.startsWith('compared after conversion to the types of the target')) // prettier-ignore
  if (lossy !== undefined) return { counts: '', refused: { is: 'named', code: 'LOSSY_TYPE', text: lossy } }
  const counts = countsOf(ran)
  const named = keysIn(ran)
  if (named !== counts) return { counts: '', refused: fault(`${step} keys`, `${counts}, and the keys are of ${named}`) }
  // The exit code shows whether there is a difference.
  const isClean = counts === '0 missing, 0 different, 0 extra'
  if (isClean !== (ran.finished.exitCode === 0) && !operation.fix)
    return { counts: '', refused: fault(`${step} exit`, `${counts}, exit ${ran.finished.exitCode}`) }
  const stays = ran.events.flatMap((event) => (event.type === 'log' && / cannot be (?:repaired: |read, and )/.test(event.message) ? [event.message] : [])) // prettier-ignore
  if (isOfChanges && stays[0] !== undefined)
    return { counts, refused: { is: 'named', code: 'ROW_REFUSED', text: stays[0] } }
  return { counts, refused: ran.finished.exitCode === 0 ? EQUAL : null }
}

/** Numbers of distinct reported keys. */
function keysIn({ events }: Ran): string {
  const all = events.flatMap((event) => (event.type === 'difference' ? [event] : []))
  return ['missing', 'different', 'extra']
    .map(
      (what) =>
        `${new Set(all.flatMap(({ difference, key }) => (difference === what ? [JSON.stringify(key)] : []))).size} ${what}`,
    )
    .join(', ')
}

function countsOf({ finished: { totals } }: Ran): string {
  return ['missing', 'different', 'extra'].map((what) => `${totals[what] ?? 0} ${what}`).join(', ')
}
