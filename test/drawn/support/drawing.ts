/** Draws tables until the time of the suite is over, and shrinks those that fail. */
import { appendFileSync } from 'node:fs'
import { KNOWN } from './known.ts'
import { drawOf, ONLY_DRAW, SEED, type Random, MOST_DRAWS } from './random.ts'
import { shrink } from './shrink.ts'
import { namedIn, sqlOf, withoutColumns, type DrawnSystem, type DrawnTable } from './shape.ts'
import { Tally } from './tally.ts'
import type { Verdict } from './verdict.ts'

/** Seconds for which a test file draws tables. */
export const SECONDS = Number(process.env['SLUICE_DRAW_SECONDS'] ?? (process.env['SLUICE_TEST_ALL'] ? 3600 : 40))
const SHRINK_MS = 60_000
/** A run ends after this many faults. */
const MOST_FAULTS = Number(process.env['SLUICE_DRAW_FAULTS'] ?? 3)

export type Drawn = { readonly from: DrawnSystem; readonly to: DrawnSystem; readonly table: DrawnTable }
const PASSED: Verdict = { is: 'discarded', text: 'known' }

export type Found = { readonly kind: string; readonly text: string }

/** Faults, each shrunk, as SQL, with the seed that repeats it. It is also a fault if no table was compared. */
export async function drawAll<D extends Drawn>(
  operation: string,
  draw: (random: Random) => D,
  judge: (one: D) => Promise<Verdict>,
): Promise<readonly Found[]> {
  const found: Found[] = []
  const tally = new Tally()
  const end = Date.now() + SECONDS * 1000
  for (let no = ONLY_DRAW ?? 1; found.length < MOST_FAULTS; no++) {
    let one: D | null = draw(drawOf(no))
    while (one !== null && found.length < MOST_FAULTS) {
      const verdict: Verdict = KNOWN.some(({ is }) => is(operation, namesOf(one as D)))
        ? PASSED
        : await judged(judge, one)
      tally.add(one, verdict)
      note(no, one, verdict)
      if (verdict.is === 'fault') found.push(await smallest(no, one, verdict, judge))
      one = restOf(one, verdict)
    }
    if (ONLY_DRAW !== undefined || no >= MOST_DRAWS || (Date.now() > end && tally.isTelling)) break
  }
  process.stderr.write(`${operation} drawn with SLUICE_DRAW_SEED=${SEED}: ${tally.text}\n`) // prettier-ignore
  return ONLY_DRAW === undefined ? [...found, ...tally.idle.map((text) => ({ kind: 'idle', text }))] : found
}

/** The columns that a refusal does not name, to test them too; null if none are left. */
function restOf<D extends Drawn>(one: D, verdict: Verdict): D | null {
  if (verdict.is !== 'named') return null
  const named = namedIn(verdict.text, one.table)
  return named.length === 0 || named.length === one.table.columns.length
    ? null
    : { ...one, table: withoutColumns(one.table, named) }
}

function namesOf({ from, to, table }: Drawn) {
  return { from: from.system, to: to.system, table }
}

async function judged<D extends Drawn>(judge: (one: D) => Promise<Verdict>, one: D): Promise<Verdict> {
  try {
    return await judge(one)
  } catch (error) {
    return { is: 'fault', kind: 'thrown', text: String((error as Error).stack ?? error) }
  }
}

async function smallest<D extends Drawn>(
  no: number,
  one: D,
  first: Extract<Verdict, { is: 'fault' }>,
  judge: (one: D) => Promise<Verdict>,
): Promise<Found> {
  let last = first
  const table = await shrink(
    one.table,
    async (smaller) => {
      const verdict = await judged(judge, { ...one, table: smaller })
      if (verdict.is !== 'fault' || verdict.kind !== first.kind) return false
      last = verdict
      return true
    },
    SHRINK_MS,
  )
  const text = `${one.from.system} to ${one.to.system}, ${last.kind}: ${last.text}\n${sqlOf(one.from, table)}\nSLUICE_DRAW_SEED=${SEED}/${no}`
  note(no, one, { ...last, text })
  return { kind: first.kind, text }
}

/** `SLUICE_DRAW_LOG` names a file to which every verdict is appended. */
function note(no: number, { from, to, table }: Drawn, verdict: Verdict): void {
  const file = process.env['SLUICE_DRAW_LOG']
  if (file === undefined) return
  const types = table.columns.map(({ type }, at) => `${table.key.includes(at) ? '*' : ''}${type}`)
  const alters = (table.alters ?? []).map(({ what, at, column }) => ` ${what} ${at} ${column.type}`).join(',')
  appendFileSync(
    file,
    `${no} ${from.system} to ${to.system} [${types.join(', ')}]${alters} ${JSON.stringify(verdict)}\n`,
  )
}
