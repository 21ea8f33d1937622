/** Result of a setup check. */
import { SluiceError } from '../../shared/errors.ts'
import type { CheckEvent } from './event.ts'

export type Verdict = Pick<CheckEvent, 'status' | 'found' | 'cause' | 'hint'>

type Trouble = { readonly cause?: string; readonly hint: string }

export const ok = (found: string): Verdict => ({ status: 'ok', found })
export const warn = (found: string, trouble: Trouble): Verdict => ({ status: 'warn', found, ...trouble })
export const fail = (found: string, trouble: Trouble): Verdict => ({ status: 'fail', found, ...trouble })

/** Converts an exception of a check to a finding. Omits the error's location if that is only the checked address. */
export function failedVerdict(thrown: unknown): Verdict {
  if (!(thrown instanceof SluiceError)) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return fail(message, { hint: 'if nothing in your setup explains it, this is a bug in sluice: please report it' })
  }
  const { message, where, reason, hint = 'see the cause' } = thrown
  const detail = where?.replace(/^\w+:\/\/\S+(?:: |$)/, '') ?? ''
  const cause = detail === '' ? reason : detail
  return fail(message, { ...(cause === undefined ? {} : { cause }), hint })
}
