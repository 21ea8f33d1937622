/** What doctor asks of a system: a server to look at, and the checks that only this system knows. */
import type { Verdict } from '../../model/run/verdict.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import type { TlsPlan } from './tls.ts'

/** How long one check may take, ms. */
export const CHECK_MS = 5_000

export type Outcome = { readonly verdict: Verdict | null; readonly late: boolean }

/** Runs looks one after the other; each has a time limit, and ends in a finding whatever happens. */
export interface Checks {
  /**
   * Runs one check. Its signal fires when its time is over; a check that does not hear it is left behind.
   * @param body gives null where there is nothing to say
   * @throws SluiceError ABORTED, and nothing that the body throws
   */
  check(area: string, check: string, body: (signal: AbortSignal) => Promise<Verdict | null>): Promise<Outcome>
}

/** Where a server listens. */
export type Target =
  | { readonly kind: 'host'; readonly host: string; readonly port: number }
  | { readonly kind: 'socket'; readonly path: string }

/** What the URL asks for. */
export type ServerWishes = {
  readonly tls: TlsPlan
  readonly isLocal: boolean
  readonly poolSize: number
  readonly hasStatementTimeout: boolean
}

export type ServerCheck = {
  readonly name: string
  look(database: SqlDatabase, wishes: ServerWishes): Promise<Verdict | null>
}

/** A server that holds catalogs, as its URL says. */
export type ServerExam = {
  readonly target: Target
  readonly wishes: ServerWishes
  readonly checks: readonly ServerCheck[]
}
