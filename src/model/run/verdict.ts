/** What a look at a setup found, and the texts that findings are made of. */
import { SluiceError } from '../../shared/errors.ts'
import type { CheckEvent } from './event.ts'

export type Verdict = Pick<CheckEvent, 'status' | 'found' | 'cause' | 'hint'>

type Trouble = { readonly cause?: string; readonly hint: string }

export const ok = (found: string): Verdict => ({ status: 'ok', found })
export const warn = (found: string, trouble: Trouble): Verdict => ({ status: 'warn', found, ...trouble })
export const fail = (found: string, trouble: Trouble): Verdict => ({ status: 'fail', found, ...trouble })

/** What a check threw, as a finding. The place is left out where it is only the address that is being looked at. */
export function failed(thrown: unknown): Verdict {
  if (!(thrown instanceof SluiceError)) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return fail(message, { hint: 'this is a bug in sluice if nothing explains it: please report it' })
  }
  const { message, where, reason, hint = 'see the cause' } = thrown
  const detail = where?.replace(/^\w+:\/\/\S+(?:: |$)/, '') ?? ''
  const cause = detail === '' ? reason : detail
  return fail(message, { ...(cause === undefined ? {} : { cause }), hint })
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

/** `9.8 GB`, `148 KB`; decimal units. */
export function sizeText(bytes: number): string {
  let amount = bytes
  let unit = 0
  while (amount >= 999.5 && unit < UNITS.length - 1) {
    amount /= 1000
    unit++
  }
  return `${unit === 0 || amount >= 99.95 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit] ?? 'B'}`
}

/** `0.4 ms`, `38 ms`, `1.9 s`. */
export function timeText(ms: number): string {
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`
}

/** `1 table`, `3 tables`. */
export function countText(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`
}
