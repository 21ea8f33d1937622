/** Port of doctor's checks: a server to inspect, and the checks that only its system has. */
import type { Verdict } from '../../model/run/verdict.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import type { TlsPlan } from './tls.ts'

/** How long one check may take, ms. */
export const CHECK_MS = 5_000

/** @property late true if the check reached its time limit */
export type PreflightOutcome = { readonly verdict: Verdict | null; readonly late: boolean }

/** Runs checks one after the other; each has a time limit, and always ends in a finding. */
export interface Checks {
  /**
   * Runs one check. Its signal fires at the time limit; a check that ignores it is abandoned.
   * @param body returns null if there is nothing to report
   * @throws SluiceError ABORTED; never what the body throws
   */
  check(area: string, check: string, body: (signal: AbortSignal) => Promise<Verdict | null>): Promise<PreflightOutcome>
}

/** Where a server listens. */
export type PreflightTarget =
  | { readonly kind: 'host'; readonly host: string; readonly port: number }
  | { readonly kind: 'socket'; readonly path: string }

/** Options from the URL. */
export type ServerOptions = {
  readonly tls: TlsPlan
  readonly isLocal: boolean
  readonly poolSize: number
  readonly hasStatementTimeout: boolean
}

export type ServerCheck = {
  readonly name: string
  /** @returns null if there is nothing to report */
  inspect(database: SqlDatabase, options: ServerOptions): Promise<Verdict | null>
}

/** A server that holds catalogs, and its options, from its URL. */
export type ServerPreflight = {
  readonly target: PreflightTarget
  readonly options: ServerOptions
  readonly checks: readonly ServerCheck[]
}
