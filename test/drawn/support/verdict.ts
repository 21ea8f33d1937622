/** Result of a run with a random table. */
import type { Operation } from '../../../src/app/operations/list.ts'
import { Interrupter } from '../../../src/shared/abort.ts'
import { perform, type Ran } from '../../support/copy-systems.ts'

/** Shrinking keeps the `kind` of a fault. */
export type Verdict =
  | { readonly is: 'equal' }
  | { readonly is: 'named'; readonly code: string; readonly text: string }
  | { readonly is: 'discarded'; readonly text: string }
  | { readonly is: 'fault'; readonly kind: string; readonly text: string }

export const EQUAL: Verdict = { is: 'equal' }
const LONGEST_MS = 180_000

/** Refusals by name: each refuses before a row is written, or names the rows that the target refused. */
const NAMED = new Set([
  'UNSUPPORTED_KEY',
  'UNSUPPORTED_TYPE',
  'LOSSY_TYPE',
  'TABLE_REFUSED',
  'VALUE_REFUSED',
  'ROW_REFUSED',
  'BAD_FLAG',
  'PARTITION_REFUSED',
  'NOT_FOLLOWABLE',
  'STREAM_HALTED',
])

/** Stops a run that takes longer, and returns null: on a machine that is shared, a run of seconds has taken a minute. */
export async function performed(operation: Operation): Promise<Ran | null> {
  const interrupt = new Interrupter()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((over) => {
    timer = setTimeout(() => {
      interrupt.requestAbort()
      over(null)
    }, LONGEST_MS)
  })
  const run = perform(operation, { interrupt })
  run.catch(() => undefined)
  try {
    return await Promise.race([run, late])
  } finally {
    clearTimeout(timer)
  }
}

export type Complaint = { readonly code: string; readonly text: string }

/** Every error of a run; errors of tables and chunks come before the error of the run, which only counts them. */
export function complaintsOf({ finished, events }: Ran): readonly Complaint[] {
  const found = events.flatMap((event) =>
    'error' in event && typeof event.error === 'object' && event.error !== null && event.type !== 'chunk.retried'
      ? [event.error]
      : [],
  )
  const all = finished.error === undefined ? found : [...found, finished.error]
  return all.map(({ code, message, where, reason, hint }) => ({
    code,
    text: [code, message, where, reason, hint].filter((one) => one !== undefined).join(' | '),
  }))
}

/** The verdict on a failed run: refused by name, or a fault. */
export function refusalOf(ran: Ran, step: string): Verdict {
  const complaints = complaintsOf(ran)
  const first = complaints[0] ?? { code: `exit ${ran.finished.exitCode}`, text: '' }
  const text = `${step}: exit ${ran.finished.exitCode}, ${first.text}`
  const isNamed = NAMED.has(first.code) && ran.finished.exitCode !== 70
  return isNamed ? { is: 'named', code: first.code, text } : { is: 'fault', kind: `${step} ${first.code}`, text }
}

export function fault(kind: string, text: string): Verdict {
  return { is: 'fault', kind, text }
}
