/** Draws for as long as the suite has, and shrinks what fails. */
import { appendFileSync } from 'node:fs'
import { KNOWN } from './known.ts'
import { drawOf, ONLY_DRAW, SEED, type Random } from './random.ts'
import { shrink } from './shrink.ts'
import { sqlOf, type DrawnSystem, type DrawnTable } from './shape.ts'
import type { Verdict } from './verdict.ts'

/** How long a file draws. */
export const SECONDS = Number(process.env['SLUICE_DRAW_SECONDS'] ?? (process.env['SLUICE_TEST_ALL'] ? 3600 : 40))
const SHRINK_MS = 60_000
/** A run that fails everywhere ends. */
const MOST_FAULTS = Number(process.env['SLUICE_DRAW_FAULTS'] ?? 3)

type Drawn = { readonly from: DrawnSystem; readonly to: DrawnSystem; readonly table: DrawnTable }
export type Found = { readonly kind: string; readonly text: string }

/** Faults that were found, each shrunk and as SQL with the seed that repeats it. */
export async function drawAll<D extends Drawn>(
  draw: (random: Random) => D,
  judge: (one: D) => Promise<Verdict>,
): Promise<readonly Found[]> {
  const found: Found[] = []
  const counts = new Map<string, number>()
  const end = Date.now() + SECONDS * 1000
  for (let no = ONLY_DRAW ?? 1; found.length < MOST_FAULTS; no++) {
    const one = draw(drawOf(no))
    const began = Date.now()
    if (KNOWN.some(({ is }) => is(namesOf(one)))) count(counts, 'known')
    else {
      const verdict = await judged(judge, one)
      count(counts, verdict.is === 'named' ? `${one.from.system} to ${one.to.system}: ${verdict.code}` : verdict.is)
      note(no, one, verdict, Date.now() - began)
      if (verdict.is === 'fault') found.push(await smallest(no, one, verdict, judge))
    }
    if (ONLY_DRAW !== undefined || Date.now() > end) break
  }
  process.stderr.write(`drawn with SLUICE_DRAW_SEED=${SEED}: ${[...counts].map(([what, n]) => `${n} ${what}`).join(', ')}\n`) // prettier-ignore
  return found
}

function namesOf({ from, to, table }: Drawn) {
  return { from: from.system, to: to.system, table }
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1)
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

/** `SLUICE_DRAW_LOG` names a file that gets every verdict. */
function note(no: number, { from, to, table }: Drawn, verdict: Verdict, ms = 0): void {
  const file = process.env['SLUICE_DRAW_LOG']
  if (file === undefined) return
  const types = table.columns.map(({ type }, at) => `${table.key.includes(at) ? '*' : ''}${type}`)
  appendFileSync(
    file,
    `${no} ${ms} ms ${from.system} to ${to.system} [${types.join(', ')}] ${JSON.stringify(verdict)}\n`,
  )
}
